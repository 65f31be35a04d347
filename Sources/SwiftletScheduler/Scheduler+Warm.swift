// SPDX-License-Identifier: BSD-3-Clause
import SwiftletModel

// Warm mode: a pool of workers that run call after call.
extension Scheduler {
    /// Hands the next tasks to idle workers, then ahead to those that are busy with short calls.
    mutating func dispatchWarm(at now: Instant, into actions: inout [SchedulerAction]) {
        while let index = nextClass() {
            let worker: Place
            if idle.first.isSomewhere {
                worker = idle.first
            } else if poolShape.ranks == 1, classes[index].request.timeLimit == nil, let other = openWorker(at: now) {
                worker = other
            } else {
                return
            }
            assign(dequeueHead(ofClass: index), to: worker, at: now, into: &actions)
            enlist(worker)
        }
    }

    /// Puts a worker into the list it belongs to; at its end where it stands there already.
    mutating func enlist(_ worker: Place) {
        delist(worker)
        guard workers[worker].state == .ready else { return }
        let calls = workers[worker].calls.count
        if calls == 0 {
            // The one that was busy last goes first: its caches are warm.
            idle.prepend(worker, in: &workers)
        } else if calls <= workers[worker].prefetchDepth {
            open.append(worker, in: &workers)
        }
    }

    mutating func delist(_ worker: Place) {
        switch workers[worker].list {
        case .none: break
        case .idle: idle.remove(worker, in: &workers)
        case .open: open.remove(worker, in: &workers)
        }
    }

    mutating func workerReady(_ id: WorkerID, takesAhead: Bool, at now: Instant) {
        guard let worker = workersByID[UInt64(id.rawValue)], workers[worker].state == .starting else { return }
        guard isWarm else { return startClock(of: worker, at: now) }
        workers[worker].state = .ready
        workers[worker].takesAhead = takesAhead
        pool.deathsBeforeReady = 0
        enlist(worker)
    }

    /// Starts workers until there are as many as there should be.
    mutating func fillPool(at now: Instant, into actions: inout [SchedulerAction]) {
        guard case .warm(_, let request) = mode, pool.failure == nil, !(isClosed && unfinished == 0) else { return }
        if let poolRefusal { return giveUpPool(poolRefusal, into: &actions) }
        while pool.size < pool.target {
            guard let shares = nodes.plan(poolShape) else { return }
            launch(insertWarmWorker(), request, slot: nodes.take(poolShape, shares), into: &actions)
        }
    }

    private mutating func insertWarmWorker() -> Place {
        pool.size += 1
        return workers.insert(WorkerRecord(id: WorkerID(0), index: pool.takeIndex(), state: .delayed))
    }

    mutating func warmWorkerEnded(
        _ worker: Place, _ end: ProcessEnd, at now: Instant, into actions: inout [SchedulerAction]
    ) {
        let (state, isKilled, calls) = (workers[worker].state, workers[worker].isKilled, workers[worker].calls)
        forgetWorker(worker)
        if state != .ending {
            pool.deathsInARow += 1
            if state == .starting { pool.deathsBeforeReady += 1 }
        }
        for call in calls where call.task.isSomewhere {
            let hasBegun = tasks[call.task].state == .running
            lostWorker(call.task, end, isCharged: hasBegun && !isKilled, into: &actions)
        }
        if pool.deathsBeforeReady >= Patience.deathsBeforeReady {
            let text = "\(pool.deathsBeforeReady) workers in a row ended before they were ready; the last one \(end)"
            giveUpPool(text, into: &actions)
        }
        let delay = state == .ending ? 0 : pool.backOff
        if delay > 0, pool.size < pool.target, pool.failure == nil {
            clock.set(insertWarmWorker(), to: now.advanced(by: delay))
        }
        fillPool(at: now, into: &actions)
    }

    /// The back-off of a warm worker is over.
    mutating func warmWorkerDue(_ worker: Place, into actions: inout [SchedulerAction]) {
        guard case .warm(_, let request) = mode else { return }
        // Where its slot went to another meanwhile, it comes when one is free.
        guard let shares = nodes.plan(poolShape) else { return forgetWorker(worker) }
        launch(worker, request, slot: nodes.take(poolShape, shares), into: &actions)
    }

    mutating func workerCannotPrepare(_ id: WorkerID, reason: String, into actions: inout [SchedulerAction]) {
        guard let worker = workersByID[UInt64(id.rawValue)], workers[worker].state == .starting else { return }
        if isWarm { return giveUpPool(reason, into: &actions) }
        if let task = workers[worker].calls.first?.task, task.isSomewhere { end(task, .refused(reason), into: &actions) }
    }

    /// The pool can run nothing: what has not begun is refused, now and later; what has begun may end.
    mutating func giveUpPool(_ reason: String, into actions: inout [SchedulerAction]) {
        guard pool.failure == nil else { return }
        pool.failure = reason
        endWaiting(.refused(reason), into: &actions)
        shrinkPool(to: 0, into: &actions)
    }

    /// A new number of workers. More are started at once; idle ones go first, busy ones after their call.
    mutating func resize(to count: Int, at now: Instant, into actions: inout [SchedulerAction]) {
        guard isWarm else { return }
        pool.target = max(0, count)
        shrinkPool(to: pool.target, into: &actions)
        fillPool(at: now, into: &actions)
        refuseWithoutWorkers(into: &actions)
    }

    /// Ends workers until so many stay: those without process, then idle ones, then starting ones, then busy ones.
    mutating func shrinkPool(to count: Int, into actions: inout [SchedulerAction]) {
        func rank(_ worker: WorkerRecord) -> Int {
            switch worker.state {
            case .delayed: 0
            case .starting: 2
            default: worker.calls.isEmpty ? 1 : 3
            }
        }
        var staying = workerPlaces.filter { workers[$0].state != .gone && workers[$0].state != .ending }
        guard staying.count > count else { return }
        staying.sort { (rank(workers[$0]), -workers[$0].index) < (rank(workers[$1]), -workers[$1].index) }
        for worker in staying.prefix(staying.count - count) {
            if workers[worker].state == .delayed {
                forgetWorker(worker)
            } else {
                stop(worker, politely: true, into: &actions)
            }
        }
    }
}
