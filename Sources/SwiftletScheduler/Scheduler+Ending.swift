// SPDX-License-Identifier: BSD-3-Clause
import SwiftletModel

// How tasks end, and what that means for those that need them.
extension Scheduler {
    /// Ends a task for good, and with it every dependant that cannot run now. Whatever worker has it is not touched,
    /// but its later word about this task is dropped.
    mutating func end(
        _ place: Place, _ outcome: Outcome, tellClient: Bool = true, into actions: inout [SchedulerAction]
    ) {
        conclude(place, outcome, tellClient: tellClient, into: &actions)
        // A list instead of recursion: a chain may be as long as there are tasks.
        var done = 0
        while done < spreading.count {
            spread(spreading[done], into: &actions)
            done += 1
        }
        spreading.removeAll(keepingCapacity: spreading.count < 1024)
    }

    /// What a dependant of this task ends with; nil while the task has not ended, or ended with a value.
    func failure(passedOnBy place: Place) -> Outcome? {
        switch tasks[place].state {
        case .error, .lost, .timeLimit, .refused: .inputFailed(origin: tasks[place].id)
        case .inputFailed: .inputFailed(origin: tasks[place].origin)
        case .cancelled: .cancelled(origin: tasks[place].origin)
        case .external, .waiting, .ready, .delayed, .prefetched, .running, .value: nil
        }
    }

    /// The client does not refer to an ended task any more.
    mutating func release(_ id: TaskID, into actions: inout [SchedulerAction]) {
        guard let place = tasksByID[id.rawValue] else { return }
        tasks[place].isReleased = true
        forgetIfUnused(place, into: &actions)
    }

    private mutating func conclude(
        _ place: Place, _ outcome: Outcome, tellClient: Bool, into actions: inout [SchedulerAction]
    ) {
        let id = tasks[place].id
        let isExternal = tasks[place].state == .external
        leaveState(place)
        tasks[place].state = state(after: outcome)
        switch outcome {
        case .value, .error, .timeLimit: break
        case .cancelled(let origin): tasks[place].origin = origin ?? id
        case .inputFailed(let origin):
            tasks[place].origin = origin
            // What it left behind says why, also to dependants that are submitted later.
            if let place = tasksByID[origin.rawValue] { tasks[place].needed += 1 }
        case .lost, .refused: details[id] = outcome
        }
        if !deaths.isEmpty { deaths[id] = nil }
        if !startFailures.isEmpty { startFailures[id] = nil }
        actions.append(.ended(id, outcome, tellClient: tellClient))
        if !isExternal {
            unfinished -= 1
            tally.ended += 1
            actions.append(.dropArguments(id))
        }
        spreading.append(place)
    }

    /// Takes the task out of whatever its state put it into.
    private mutating func leaveState(_ place: Place) {
        switch tasks[place].state {
        case .waiting: tally.waiting -= 1
        case .ready: dequeue(place)
        case .delayed:
            tally.ready -= 1
            forgetWorker(tasks[place].worker)
        case .prefetched:
            tally.ready -= 1
            abandon(place)
        case .running:
            tally.running -= 1
            abandon(place)
        case .external, .value, .error, .lost, .cancelled, .inputFailed, .timeLimit, .refused: break
        }
    }

    /// Its worker may still have the call, but nobody waits for what becomes of it.
    private mutating func abandon(_ place: Place) {
        let worker = tasks[place].worker
        guard let position = workers[worker].calls.firstIndex(where: { $0.task == place }) else { return }
        workers[worker].calls[position].task = .nowhere
    }

    private func state(after outcome: Outcome) -> TaskState {
        switch outcome {
        case .value: .value
        case .error: .error
        case .lost: .lost
        case .cancelled: .cancelled
        case .inputFailed: .inputFailed
        case .timeLimit: .timeLimit
        case .refused: .refused
        }
    }

    /// Tells the dependants of an ended task, and gives up its inputs.
    private mutating func spread(_ place: Place, into actions: inout [SchedulerAction]) {
        var edge = tasks[place].dependants
        tasks[place].dependants = .nowhere
        if edge.isSomewhere {
            let failure = failure(passedOnBy: place)
            while edge.isSomewhere {
                let dependant = edges[edge].dependant
                edge = edges[edge].nextDependant
                if tasks[dependant].state.isEnded { continue }
                if let failure {
                    conclude(dependant, failure, tellClient: true, into: &actions)
                } else {
                    tasks[dependant].missing -= 1
                    if tasks[dependant].missing == 0 { makeReady(dependant) }
                }
            }
        }
        giveUpInputs(of: place, into: &actions)
        forgetIfUnused(place, into: &actions)
    }

    private mutating func giveUpInputs(of place: Place, into actions: inout [SchedulerAction]) {
        var edge = tasks[place].inputs
        tasks[place].inputs = .nowhere
        while edge.isSomewhere {
            let (input, next) = (edges[edge].input, edges[edge].nextInput)
            // An ended input has given up its list, or is about to in `spread`, which goes through all of it first.
            if !tasks[input].state.isEnded { unlink(edge, from: input) }
            edges.remove(edge)
            tasks[input].needed -= 1
            forgetIfUnused(input, into: &actions)
            edge = next
        }
    }

    private mutating func unlink(_ edge: Place, from input: Place) {
        let (next, previous) = (edges[edge].nextDependant, edges[edge].previousDependant)
        if previous.isSomewhere {
            edges[previous].nextDependant = next
        } else {
            tasks[input].dependants = next
        }
        if next.isSomewhere { edges[next].previousDependant = previous }
    }

    private mutating func forgetIfUnused(_ place: Place, into actions: inout [SchedulerAction]) {
        let task = tasks[place]
        // A task that is still to be spread has its lists; those that need it keep it until they have heard of its end.
        guard task.isReleased, task.needed == 0, task.state.isEnded, !task.dependants.isSomewhere,
            !task.inputs.isSomewhere
        else { return }
        if task.state.leavesSomething { actions.append(.dropValue(task.id)) }
        if !details.isEmpty { details[task.id] = nil }
        tasksByID.remove(task.id.rawValue)
        tasks.remove(place)
        if task.state == .inputFailed, let origin = tasksByID[task.origin.rawValue] {
            tasks[origin].needed -= 1
            forgetIfUnused(origin, into: &actions)
        }
    }
}
