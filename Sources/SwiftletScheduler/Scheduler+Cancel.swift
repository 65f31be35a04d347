// SPDX-License-Identifier: BSD-3-Clause
import SwiftletModel

// Cancelling, and ending what has not started.
extension Scheduler {
    mutating func cancel(_ id: TaskID, onlyIfNotStarted: Bool, into actions: inout [SchedulerAction]) {
        guard let place = tasksByID[id.rawValue] else { return }
        let worker = tasks[place].worker
        switch tasks[place].state {
        case .external, .waiting, .ready, .delayed, .prefetched:
            endUnstarted(place, .cancelled(origin: nil), tellClient: onlyIfNotStarted, into: &actions)
        case .running:
            guard !onlyIfNotStarted else { return }
            end(place, .cancelled(origin: nil), tellClient: false, into: &actions)
            stop(worker, politely: false, into: &actions)
        case .value, .error, .lost, .cancelled, .inputFailed, .timeLimit, .refused: break
        }
    }

    /// Ends everything that has not begun, oldest place first. External tasks are the client's business.
    mutating func endWaiting(_ outcome: Outcome, into actions: inout [SchedulerAction]) {
        for index in 0..<tasks.highWater {
            let place = Place(rawValue: index)
            guard tasks[place].state.isUnstarted else { continue }
            endUnstarted(place, outcome, tellClient: true, into: &actions)
        }
    }

    private mutating func endUnstarted(
        _ place: Place, _ outcome: Outcome, tellClient: Bool, into actions: inout [SchedulerAction]
    ) {
        if tasks[place].state == .prefetched {
            let worker = tasks[place].worker
            if let position = workers[worker].calls.firstIndex(where: { $0.task == place }) {
                recall(position, from: worker, into: &actions)
            }
        }
        end(place, outcome, tellClient: tellClient, into: &actions)
    }
}

extension TaskState {
    /// Ours, and not begun.
    var isUnstarted: Bool {
        self == .waiting || self == .ready || self == .delayed || self == .prefetched
    }
}
