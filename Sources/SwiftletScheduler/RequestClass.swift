// SPDX-License-Identifier: BSD-3-Clause
import SwiftletModel

/// Tasks that ask for the same.
struct RequestClass {
    let request: ResourceRequest
    /// Why none of them can run.
    let refusal: String?
    /// What one call takes in fresh mode; nothing sensible where `refusal` is set.
    let shape: Shape
    var queue = ReadyQueue()
    /// Its place among the classes with ready tasks; -1: it has none.
    var activePosition = -1
    /// How many tasks have overtaken the head of the queue, and which head that was.
    var overtaken = 0
    var overtakenHead = UInt64.max
    /// The generation of the node table at which it did not fit: it need not be tried again before the next one.
    var blocked: UInt64 = 0
    /// The same for fitting beside the task that nodes are kept for.
    var blockedBeside: UInt64 = 0

    /// Whether its head goes before the other's.
    func precedes(_ other: RequestClass) -> Bool {
        request.priority != other.request.priority
            ? request.priority > other.request.priority : queue.head < other.queue.head
    }
}
