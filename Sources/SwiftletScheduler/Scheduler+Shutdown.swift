// SPDX-License-Identifier: BSD-3-Clause
import SwiftletModel

// The end: no new tasks, then no tasks, then no workers.
extension Scheduler {
    mutating func shutdown(cancelWaiting: Bool, into actions: inout [SchedulerAction]) {
        isClosed = true
        if cancelWaiting { endWaiting(.cancelled(origin: nil), into: &actions) }
        refuseWithoutWorkers(into: &actions)
    }

    /// After `shutdown` nobody adds workers to a pool that is to have none: waiting for them would never end.
    mutating func refuseWithoutWorkers(into actions: inout [SchedulerAction]) {
        guard let refusal = refusalOfReturns else { return }
        endWaiting(.refused(refusal), into: &actions)
    }

    /// Why a task that comes back from a worker will not find another one.
    var refusalOfReturns: String? {
        guard isWarm else { return nil }
        if let failure = pool.failure { return failure }
        return isClosed && pool.target == 0 ? "the executor was shut down while it had no workers" : nil
    }

    mutating func finishIfDone(into actions: inout [SchedulerAction]) {
        guard unfinished == 0, !isFinished else { return }
        if pool.target > 0 {
            pool.target = 0
            shrinkPool(to: 0, into: &actions)
        }
        guard workersByID.isEmpty else { return }
        isFinished = true
        actions.append(.finished)
    }
}
