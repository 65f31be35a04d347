// SPDX-License-Identifier: BSD-3-Clause
import SwiftletModel

// What the death of a worker means for its calls.
extension Scheduler {
    mutating func workerEnded(
        _ id: WorkerID, _ end: ProcessEnd, at now: Instant, into actions: inout [SchedulerAction]
    ) {
        guard let worker = workersByID.remove(UInt64(id.rawValue)) else { return }
        if isWarm {
            warmWorkerEnded(worker, end, at: now, into: &actions)
        } else {
            freshWorkerEnded(worker, end, at: now, into: &actions)
        }
    }

    /// A worker died and had this task. Charged deaths count against the task's limit of restarts, others against ours.
    mutating func lostWorker(
        _ task: Place, _ end: ProcessEnd, isCharged: Bool, into actions: inout [SchedulerAction]
    ) {
        deaths[tasks[task].id, default: []].append(end)
        let isOver: Bool
        if isCharged {
            tasks[task].deaths += 1
            isOver = Int(tasks[task].deaths) > request(of: task).restartLimit ?? restartLimit
        } else {
            tasks[task].returns += 1
            isOver = tasks[task].returns > Patience.uncharged
        }
        if isOver {
            self.end(task, .lost(reasons: deaths[tasks[task].id] ?? []), into: &actions)
        } else {
            putBack(task, into: &actions)
        }
    }
}
