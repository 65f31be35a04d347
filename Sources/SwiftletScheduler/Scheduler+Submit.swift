// SPDX-License-Identifier: BSD-3-Clause
import SwiftletModel

// How tasks come in.
extension Scheduler {
    mutating func submit(
        _ id: TaskID, request: RequestID, inputs: [TaskID], isHeld: Bool = false, into actions: inout [SchedulerAction]
    ) {
        guard tasksByID[id.rawValue] == nil else { return }
        let index = classesByID[UInt64(request.rawValue)].map { Int32($0.rawValue) }
        let place = tasks.insert(TaskRecord(id, requestClass: index ?? 0, state: .waiting))
        tasksByID.set(id.rawValue, to: place)
        unfinished += 1
        tally.waiting += 1
        if let text = refusal(ofClass: index) {
            return end(place, .refused(text), into: &actions)
        }
        if !inputs.isEmpty {
            if let unknown = inputs.first(where: { tasksByID[$0.rawValue] == nil || $0 == id }) {
                let text = "\(unknown), an input, is not known: it was never submitted, or has been released"
                return end(place, .refused(text), into: &actions)
            }
            for input in inputs { connect(tasksByID[input.rawValue]!, to: place) }
            for input in inputs {
                guard let failure = failure(passedOnBy: tasksByID[input.rawValue]!) else { continue }
                return end(place, failure, into: &actions)
            }
        }
        if isHeld { tasks[place].missing += 1 }
        guard tasks[place].missing == 0 else { return }
        makeReady(place)
    }

    /// Why a task of this class would be refused now.
    private func refusal(ofClass index: Int32?) -> String? {
        guard let index else { return "its resource request was never defined" }
        if isClosed { return "the executor has been shut down" }
        return pool.failure ?? classes[Int(index)].refusal
    }

    /// A task whose inputs have all ended with a value.
    mutating func makeReady(_ place: Place) {
        tally.waiting -= 1
        enqueue(place)
    }

    mutating func declareExternal(_ id: TaskID) {
        guard tasksByID[id.rawValue] == nil else { return }
        tasksByID.set(id.rawValue, to: tasks.insert(TaskRecord(id, requestClass: -1, state: .external)))
    }

    mutating func resolveExternal(_ id: TaskID, _ outcome: Outcome, into actions: inout [SchedulerAction]) {
        guard let place = tasksByID[id.rawValue], tasks[place].state == .external else { return }
        end(place, outcome, tellClient: false, into: &actions)
    }

    /// Adds the dependant to the tasks that need the input.
    private mutating func connect(_ input: Place, to dependant: Place) {
        let first = tasks[input].dependants
        let hasEnded = tasks[input].state.isEnded
        let edge = edges.insert(
            Edge(
                input: input, dependant: dependant, nextInput: tasks[dependant].inputs,
                nextDependant: hasEnded ? .nowhere : first, previousDependant: .nowhere))
        tasks[dependant].inputs = edge
        tasks[input].needed += 1
        guard !hasEnded else { return }
        if first.isSomewhere { edges[first].previousDependant = edge }
        tasks[input].dependants = edge
        tasks[dependant].missing += 1
    }
}
