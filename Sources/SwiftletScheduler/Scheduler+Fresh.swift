// SPDX-License-Identifier: BSD-3-Clause
import SwiftletModel

// Fresh mode: a new worker for each call, as many at a time as fit.
extension Scheduler {
    /// Starts what fits, best first.
    ///
    /// Where the next task does not fit, later ones may overtake it, but only `overtakingLimit` times; from then on
    /// only those start that take nothing it needs, until it fits.
    mutating func dispatchFresh(at now: Instant, into actions: inout [SchedulerAction]) {
        while nodes.freeCores > 0, nodes.freeWorkers > 0, let head = nextClass() {
            if let shares = plan(ofClass: head, beside: false) {
                startFresh(ofClass: head, shares, at: now, into: &actions)
                continue
            }
            guard active.count > 1 else { return }
            let task = classes[head].queue.head
            if classes[head].overtakenHead != task {
                classes[head].overtakenHead = task
                classes[head].overtaken = 0
            }
            nodes.reserve(classes[head].shape, for: task)
            if classes[head].overtaken < overtakingLimit {
                guard let other = nextFitting(beside: false) else { return }
                let harmless = plan(ofClass: other.index, beside: true)
                if harmless == nil { classes[head].overtaken += 1 }
                startFresh(ofClass: other.index, harmless ?? other.shares, at: now, into: &actions)
            } else {
                guard let other = nextFitting(beside: true) else { return }
                startFresh(ofClass: other.index, other.shares, at: now, into: &actions)
            }
        }
    }

    /// Where the next call of a class would run; nil where it does not fit now. What did not fit is not tried again before
    /// something was given back.
    private mutating func plan(ofClass index: Int, beside: Bool) -> [Share]? {
        let generation = nodes.generation
        if classes[index].blocked == generation || (beside && classes[index].blockedBeside == generation) { return nil }
        if let shares = nodes.plan(classes[index].shape, beside: beside) { return shares }
        if beside { classes[index].blockedBeside = generation } else { classes[index].blocked = generation }
        return nil
    }

    /// The first class, in the order of starting, whose next call fits.
    private mutating func nextFitting(beside: Bool) -> (index: Int, shares: [Share])? {
        var best: (index: Int, shares: [Share])?
        for index in active {
            if let best, !classes[index].precedes(classes[best.index]) { continue }
            if let shares = plan(ofClass: index, beside: beside) { best = (index, shares) }
        }
        return best
    }

    /// How many tasks may overtake one that does not fit yet: four times the capacity, at least 16.
    var overtakingLimit: Int {
        max(16, 4 * min(capacity.cores ?? 4096, capacity.workers ?? 4096, 4096))
    }

    private mutating func startFresh(
        ofClass index: Int, _ shares: [Share], at now: Instant, into actions: inout [SchedulerAction]
    ) {
        if nodes.reservedFor == classes[index].queue.head { nodes.endReservation() }
        let task = dequeueHead(ofClass: index)
        let worker = workers.insert(WorkerRecord(id: WorkerID(0), index: 0, state: .starting))
        launch(worker, classes[index].request, slot: nodes.take(classes[index].shape, shares), into: &actions)
        assign(task, to: worker, at: now, into: &actions)
    }

    /// The process of a fresh worker is gone: its slot is free; its call, if it has not ended, is lost or comes back.
    mutating func freshWorkerEnded(
        _ worker: Place, _ end: ProcessEnd, at now: Instant, into actions: inout [SchedulerAction]
    ) {
        let task = workers[worker].calls.first?.task ?? .nowhere
        guard task.isSomewhere else { return forgetWorker(worker) }
        let isKilled = workers[worker].isKilled
        if case .failed(let reason) = end, !isKilled {
            return couldNotStart(worker, of: task, reason: reason, at: now, into: &actions)
        }
        startFailuresInARow = 0
        forgetWorker(worker)
        lostWorker(task, end, isCharged: !isKilled, into: &actions)
    }

    /// The slot stays taken until the next try: a node that cannot start processes is not asked for more of them.
    private mutating func couldNotStart(
        _ worker: Place, of task: Place, reason: String, at now: Instant, into actions: inout [SchedulerAction]
    ) {
        let id = tasks[task].id
        let failures = startFailures[id, default: 0] + 1
        startFailuresInARow += 1
        // Where nothing could be started for a while, every further call is tried once, so that a broken set-up fails quickly.
        guard failures <= Patience.startRetries, startFailuresInARow <= Patience.startFailuresInARow else {
            forgetWorker(worker)
            return self.end(task, .refused("its worker could not be started: \(reason)"), into: &actions)
        }
        startFailures[id] = failures
        tally.running -= 1
        tally.ready += 1
        tasks[task].state = .delayed
        workers[worker].state = .delayed
        clock.set(worker, to: now.advanced(by: Patience.backOff(afterFailures: failures)))
    }

    /// The back-off of a fresh worker is over: the call is the next of its class again.
    mutating func freshWorkerDue(_ worker: Place) {
        let task = workers[worker].calls[0].task
        forgetWorker(worker)
        tally.ready -= 1
        enqueue(task)
    }
}
