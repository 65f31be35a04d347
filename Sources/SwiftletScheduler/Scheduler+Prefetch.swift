// SPDX-License-Identifier: BSD-3-Clause
import SwiftletModel

// Calls that a warm worker is given while it is busy, so that it need not wait for the next one.
extension Scheduler {
    /// A worker that is busy with short calls and may be given another one; the one that was given one longest ago.
    mutating func openWorker(at now: Instant) -> Place? {
        while open.first.isSomewhere {
            let worker = open.first
            if workers[worker].running(at: now) <= workers[worker].patience { return worker }
            delist(worker)  // its call is a long one; it comes back after it
        }
        return nil
    }

    /// Asks a worker to give back a call that waits behind another.
    mutating func recall(_ position: Int, from worker: Place, into actions: inout [SchedulerAction]) {
        guard workers[worker].calls[position].waitsBehind else { return }
        workers[worker].calls[position].waitsBehind = false
        prefetched -= 1
        actions.append(.recall(workers[worker].calls[position].id, workers[worker].id))
    }

    /// While calls wait behind others: looks again soon if a worker has nothing to do, from time to time if all work.
    mutating func setWatch(at now: Instant) {
        guard prefetched > 0 else { return }
        let patience = idle.first.isSomewhere ? Patience.behindCall : Patience.betweenLooks
        let next = now.advanced(by: patience)
        if watch.map({ next < $0 }) ?? true { watch = next }
    }

    /// Asks back every call that waits behind a long one.
    mutating func recallStuckCalls(at now: Instant, into actions: inout [SchedulerAction]) {
        guard prefetched > 0 else { return }
        for worker in workerPlaces
        where workers[worker].calls.count > 1 && workers[worker].running(at: now) >= workers[worker].patience {
            for position in workers[worker].calls.indices.dropFirst() {
                recall(position, from: worker, into: &actions)
            }
        }
    }
}
