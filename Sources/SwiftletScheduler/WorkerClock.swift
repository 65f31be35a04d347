// SPDX-License-Identifier: BSD-3-Clause
import SwiftletModel

/// At most one time for each worker: the deadline of its call, the end of its back-off, or of our patience.
///
/// A heap that knows where each worker stands, so a deadline that is not needed any more leaves nothing behind.
struct WorkerClock {
    private struct Entry {
        var due: Instant
        var worker: Place
    }
    private static let absent: Int32 = -1

    private var heap: [Entry] = []
    private var positions: [Int32] = []

    /// The earliest time.
    var earliest: Instant? { heap.first?.due }

    /// Sets or replaces the worker's time.
    mutating func set(_ worker: Place, to due: Instant) {
        clear(worker)
        while positions.count <= Int(worker.rawValue) { positions.append(Self.absent) }
        heap.append(Entry(due: due, worker: worker))
        positions[Int(worker.rawValue)] = Int32(heap.count - 1)
        siftUp(heap.count - 1)
    }

    /// Removes the worker's time where it has one.
    mutating func clear(_ worker: Place) {
        guard worker.rawValue < positions.count, positions[Int(worker.rawValue)] != Self.absent else { return }
        let hole = Int(positions[Int(worker.rawValue)])
        positions[Int(worker.rawValue)] = Self.absent
        let last = heap.removeLast()
        guard hole < heap.count else { return }
        place(last, at: hole)
        siftDown(hole)
        siftUp(hole)
    }

    /// Removes and returns the worker whose time is the earliest, where that has come.
    mutating func popDue(at now: Instant) -> Place? {
        guard let first = heap.first, first.due <= now else { return nil }
        clear(first.worker)
        return first.worker
    }

    private mutating func place(_ entry: Entry, at position: Int) {
        heap[position] = entry
        positions[Int(entry.worker.rawValue)] = Int32(position)
    }

    private mutating func exchange(_ left: Int, _ right: Int) {
        let entry = heap[left]
        place(heap[right], at: left)
        place(entry, at: right)
    }

    private func precedes(_ left: Int, _ right: Int) -> Bool {
        (heap[left].due, heap[left].worker.rawValue) < (heap[right].due, heap[right].worker.rawValue)
    }

    private mutating func siftUp(_ start: Int) {
        var child = start
        while child > 0, precedes(child, (child - 1) / 2) {
            exchange(child, (child - 1) / 2)
            child = (child - 1) / 2
        }
    }

    private mutating func siftDown(_ start: Int) {
        var parent = start
        while true {
            var child = 2 * parent + 1
            guard child < heap.count else { return }
            if child + 1 < heap.count, precedes(child + 1, child) { child += 1 }
            guard precedes(child, parent) else { return }
            exchange(child, parent)
            parent = child
        }
    }
}
