// SPDX-License-Identifier: BSD-3-Clause
import SwiftletModel

// Nodes that go and come.
extension Scheduler {
    mutating func nodeLost(_ node: Int, timeIsOver: Bool, into actions: inout [SchedulerAction]) {
        nodes.setUp(node, false)
        for worker in workerPlaces where workers[worker].state != .gone && workers[worker].state != .delayed {
            let placements = workers[worker].slot.placements
            guard placements.contains(where: { $0.node == node }) else { continue }
            if placements.count > 1, !workers[worker].isKilled {
                // A group that has lost some of its ranks would wait for them.
                stop(worker, politely: false, into: &actions)
            }
            delist(worker)
            if !timeIsOver { workers[worker].isKilled = true }
            workers[worker].state = .ending
        }
    }

    mutating func nodeUp(_ node: Int, at now: Instant, into actions: inout [SchedulerAction]) {
        nodes.setUp(node, true)
        fillPool(at: now, into: &actions)
    }
}
