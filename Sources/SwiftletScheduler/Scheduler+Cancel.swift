// SPDX-License-Identifier: BSD-3-Clause
import SwiftletModel

// Cancelling, and ending what has not started.
extension Scheduler {
    mutating func cancel(_ id: TaskID, onlyIfNotStarted: Bool, into actions: inout [SchedulerAction]) {
        guard let slot = tasksByID[id.rawValue] else { return }
        let worker = tasks[slot].worker
        switch tasks[slot].state {
        case .external, .waiting, .ready, .delayed, .prefetched:
            endUnstarted(slot, .cancelled(origin: nil), tellClient: onlyIfNotStarted, into: &actions)
        case .running:
            guard !onlyIfNotStarted else { return }
            end(slot, .cancelled(origin: nil), tellClient: false, into: &actions)
            stop(worker, politely: false, into: &actions)
        case .value, .error, .lost, .cancelled, .inputFailed, .timeLimit, .refused: break
        }
    }

    /// Ends everything that has not begun, oldest place first. External tasks are the client's business.
    mutating func endWaiting(_ outcome: Outcome, into actions: inout [SchedulerAction]) {
        for index in 0..<tasks.highWater {
            let slot = Slot(rawValue: index)
            guard tasks[slot].state.isUnstarted else { continue }
            endUnstarted(slot, outcome, tellClient: true, into: &actions)
        }
    }

    private mutating func endUnstarted(
        _ slot: Slot, _ outcome: Outcome, tellClient: Bool, into actions: inout [SchedulerAction]
    ) {
        if tasks[slot].state == .prefetched {
            let worker = tasks[slot].worker
            if let position = workers[worker].calls.firstIndex(where: { $0.task == slot }) {
                recall(position, from: worker, into: &actions)
            }
        }
        end(slot, outcome, tellClient: tellClient, into: &actions)
    }
}

extension TaskState {
    /// Ours, and not begun.
    var isUnstarted: Bool {
        self == .waiting || self == .ready || self == .delayed || self == .prefetched
    }
}
