// SPDX-License-Identifier: BSD-3-Clause
import SwiftletModel

// Tasks that may be answered by what a store has.
extension Scheduler {
    /// The store has nothing for it: it runs when its inputs have ended, as any other.
    mutating func letGo(_ id: TaskID) {
        guard let place = tasksByID[id.rawValue], tasks[place].state == .waiting else { return }
        tasks[place].missing -= 1
        if tasks[place].missing == 0 { makeReady(place) }
    }

    /// The store has its value: it ends without having run, whether its inputs have ended or not.
    mutating func answer(_ id: TaskID, into actions: inout [SchedulerAction]) {
        guard let place = tasksByID[id.rawValue], tasks[place].state == .waiting else { return }
        end(place, .value, into: &actions)
    }
}
