// SPDX-License-Identifier: BSD-3-Clause
import SwiftletModel

// Fresh mode: a new worker for each call, as many at a time as fit.
extension Scheduler {
    /// Starts what fits, best first.
    ///
    /// Where the next task does not fit, later ones may overtake it, but only `overtakingLimit` times; from then on
    /// only those start that take nothing it needs, until it fits.
    mutating func dispatchFresh(at now: Instant, into actions: inout [SchedulerAction]) {
        while free.cores > 0, free.workers > 0, let head = nextClass() {
            if classes[head].need.fits(in: free) {
                startFresh(ofClass: head, at: now, into: &actions)
                continue
            }
            let (need, free) = (classes[head].need, free)
            if classes[head].overtakenHead != classes[head].queue.head {
                classes[head].overtakenHead = classes[head].queue.head
                classes[head].overtaken = 0
            }
            if classes[head].overtaken < overtakingLimit {
                guard let other = nextClass(where: { $0.need.fits(in: free) }) else { return }
                if !classes[other].need.fits(beside: need, in: free) { classes[head].overtaken += 1 }
                startFresh(ofClass: other, at: now, into: &actions)
            } else {
                guard let other = nextClass(where: { $0.need.fits(beside: need, in: free) }) else { return }
                startFresh(ofClass: other, at: now, into: &actions)
            }
        }
    }

    /// How many tasks may overtake one that does not fit yet: four times the capacity, at least 16.
    var overtakingLimit: Int {
        max(16, 4 * min(capacity.cores ?? 4096, capacity.workers ?? 4096, 4096))
    }

    private mutating func startFresh(ofClass index: Int, at now: Instant, into actions: inout [SchedulerAction]) {
        let task = dequeueHead(ofClass: index)
        var record = WorkerRecord(id: WorkerID(0), index: 0, state: .starting)
        record.requestClass = Int32(index)
        let worker = workers.insert(record)
        free -= classes[index].need
        launch(worker, slot: classes[index].request, into: &actions)
        assign(task, to: worker, at: now, into: &actions)
    }

    /// The process of a fresh worker is gone: its slot is free; its call, if it has not ended, is lost or comes back.
    mutating func freshWorkerEnded(
        _ worker: Slot, _ end: ProcessEnd, at now: Instant, into actions: inout [SchedulerAction]
    ) {
        let task = workers[worker].calls.first?.task ?? .nowhere
        guard task.isSomewhere else { return forgetWorker(worker) }
        if case .failed(let reason) = end {
            return couldNotStart(worker, of: task, reason: reason, at: now, into: &actions)
        }
        startFailuresInARow = 0
        forgetWorker(worker)
        lostWorker(task, end, isCharged: true, into: &actions)
    }

    /// The slot stays taken until the next try: a node that cannot start processes is not asked for more of them.
    private mutating func couldNotStart(
        _ worker: Slot, of task: Slot, reason: String, at now: Instant, into actions: inout [SchedulerAction]
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
    mutating func freshWorkerDue(_ worker: Slot) {
        let task = workers[worker].calls[0].task
        forgetWorker(worker)
        tally.ready -= 1
        enqueue(task)
    }
}
