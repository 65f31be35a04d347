// SPDX-License-Identifier: BSD-3-Clause
import SwiftletModel

// What both modes do with workers.
extension Scheduler {
    /// A new worker that has a process from now on.
    mutating func launch(
        _ place: Place, _ request: ResourceRequest, slot: Slot, into actions: inout [SchedulerAction]
    ) {
        lastWorker += 1
        let id = WorkerID(lastWorker)
        workers[place].id = id
        workers[place].state = .starting
        workers[place].slot = slot
        workers[place].countedCores = request.occupiedCores
        workersByID.set(UInt64(id.rawValue), to: place)
        actions.append(.startWorker(id, index: workers[place].index, request: request, slot: slot))
    }

    /// Gives the worker a call: to begin now, or behind those it has.
    mutating func assign(_ task: Place, to worker: Place, at now: Instant, into actions: inout [SchedulerAction]) {
        let id = tasks[task].id
        let isBehind = !workers[worker].calls.isEmpty
        workers[worker].calls.append(HeldCall(id: id, task: task, waitsBehind: isBehind))
        tasks[task].worker = worker
        tasks[task].state = .prefetched
        tally.ready += 1
        actions.append(.assign(id, workers[worker].id, attempt: Int(tasks[task].attempts) + 1))
        if isBehind { prefetched += 1 } else { begin(worker, at: now, into: &actions) }
    }

    /// The first call of the worker is what it works on now.
    mutating func begin(_ worker: Place, at now: Instant, into actions: inout [SchedulerAction]) {
        if workers[worker].calls[0].waitsBehind {
            workers[worker].calls[0].waitsBehind = false
            prefetched -= 1
        }
        let call = workers[worker].calls[0]
        workers[worker].begun = now
        guard call.task.isSomewhere else {
            // Cancelled, and asked back in vain so far. If no answer comes it has begun, and is ended like any other.
            clock.set(worker, to: now.advanced(by: Patience.recallAnswer))
            return
        }
        tasks[call.task].state = .running
        tasks[call.task].attempts += 1
        tally.ready -= 1
        tally.running += 1
        actions.append(.begun(call.id, workers[worker].id, attempt: Int(tasks[call.task].attempts)))
        if isWarm || !capacity.startsLate { startClock(of: worker, at: now) }
    }

    /// The time limit of the worker's call begins.
    mutating func startClock(of worker: Place, at now: Instant) {
        guard let call = workers[worker].calls.first, call.task.isSomewhere,
            let limit = classes[Int(tasks[call.task].requestClass)].request.timeLimit
        else { return }
        clock.set(worker, to: now.advanced(by: limit))
    }

    /// The worker says that its call has ended.
    mutating func taskEnded(
        _ id: TaskID, on workerID: WorkerID, failed: Bool, isShort: Bool, at now: Instant, into actions: inout [SchedulerAction]
    ) {
        guard let worker = workersByID[UInt64(workerID.rawValue)], let call = workers[worker].calls.first, call.id == id
        else { return }
        clock.clear(worker)
        // A call behind one that we killed its worker for: we did not count it as begun, but it was.
        if call.task.isSomewhere, tasks[call.task].state == .prefetched { begin(worker, at: now, into: &actions) }
        workers[worker].callEnded(isShort: isShort, at: now)
        workers[worker].calls.removeFirst()
        pool.deathsInARow = 0
        startFailuresInARow = 0
        if call.task.isSomewhere {
            end(call.task, failed ? .error : .value, into: &actions)
        }
        goOn(worker, at: now, into: &actions)
    }

    /// The worker has put back a call. It may be one that we took for begun, because the call before it has ended.
    mutating func recalled(
        _ id: TaskID, from workerID: WorkerID, at now: Instant, into actions: inout [SchedulerAction]
    ) {
        guard let worker = workersByID[UInt64(workerID.rawValue)],
            let position = workers[worker].calls.firstIndex(where: { $0.id == id })
        else { return }
        let call = workers[worker].calls.remove(at: position)
        if call.waitsBehind { prefetched -= 1 }
        if call.task.isSomewhere {
            if tasks[call.task].state == .running { tasks[call.task].attempts -= 1 }
            putBack(call.task, into: &actions)
        }
        guard position == 0 else { return }
        clock.clear(worker)
        goOn(worker, at: now, into: &actions)
    }

    /// A task that a worker had goes back to its queue, before all that were submitted later.
    mutating func putBack(_ place: Place, into actions: inout [SchedulerAction]) {
        if tasks[place].state == .running { tally.running -= 1 } else { tally.ready -= 1 }
        enqueue(place)
        if let refusal = refusalOfReturns { end(place, .refused(refusal), into: &actions) }
    }

    /// What a worker does after a call. (A fresh one ends; one that we ended by force is given no credit.)
    private mutating func goOn(_ worker: Place, at now: Instant, into actions: inout [SchedulerAction]) {
        guard isWarm, !workers[worker].isKilled else { return }
        if !workers[worker].calls.isEmpty { begin(worker, at: now, into: &actions) }
        enlist(worker)
    }

    /// Ends a worker. By force: whatever becomes of its calls then is charged to nobody.
    mutating func stop(_ worker: Place, politely: Bool, into actions: inout [SchedulerAction]) {
        delist(worker)
        workers[worker].state = .ending
        for position in workers[worker].calls.indices where workers[worker].calls[position].waitsBehind {
            recall(position, from: worker, into: &actions)
        }
        if !politely {
            workers[worker].isKilled = true
            clock.clear(worker)
        }
        actions.append(.endWorker(workers[worker].id, politely: politely))
    }

    mutating func workerLeaves(_ id: WorkerID, into actions: inout [SchedulerAction]) {
        guard let worker = workersByID[UInt64(id.rawValue)], workers[worker].state != .ending else { return }
        delist(worker)
        workers[worker].state = .ending
        for position in workers[worker].calls.indices { recall(position, from: worker, into: &actions) }
    }

    /// Frees what a worker without process holds.
    mutating func forgetWorker(_ worker: Place) {
        delist(worker)
        clock.clear(worker)
        for call in workers[worker].calls where call.waitsBehind { prefetched -= 1 }
        workers[worker].calls = []
        workers[worker].state = .gone
        workers.remove(worker)
        if isWarm {
            pool.size -= 1
            pool.giveBack(workers[worker].index)
        }
        if !workers[worker].slot.placements.isEmpty {
            nodes.giveBack(workers[worker].slot, cores: workers[worker].countedCores)
            workers[worker].slot = Slot()
        }
    }

    /// All places of workers in a fixed order; some may be free (`gone`).
    var workerPlaces: some Sequence<Place> { (0..<workers.highWater).lazy.map { Place(rawValue: $0) } }
}
