// SPDX-License-Identifier: BSD-3-Clause

/// Actions by time: a binary heap from which cancelled entries vanish when they come to the front.
struct TimerQueue {
    private struct Entry {
        let deadline: UInt64
        let id: UInt64
    }

    private var heap: [Entry] = []
    private var actions: [UInt64: () -> Void] = [:]
    private var nextID: UInt64 = 1

    /// The earliest deadline.
    var next: UInt64? {
        mutating get {
            dropCancelled()
            return heap.first?.deadline
        }
    }

    mutating func add(at deadline: UInt64, _ action: @escaping () -> Void) -> UInt64 {
        let id = nextID
        nextID += 1
        actions[id] = action
        heap.append(Entry(deadline: deadline, id: id))
        var child = heap.count - 1
        while child > 0, heap[child].deadline < heap[(child - 1) / 2].deadline {
            heap.swapAt(child, (child - 1) / 2)
            child = (child - 1) / 2
        }
        return id
    }

    mutating func cancel(_ id: UInt64) { actions[id] = nil }

    /// Takes out what is due, earliest first.
    mutating func due(at now: UInt64) -> [() -> Void] {
        guard let next, next <= now else { return [] }
        var due: [() -> Void] = []
        while let first = heap.first, first.deadline <= now {
            if let action = actions.removeValue(forKey: first.id) { due.append(action) }
            removeFirst()
        }
        return due
    }

    private mutating func dropCancelled() {
        while let first = heap.first, actions[first.id] == nil { removeFirst() }
    }

    private mutating func removeFirst() {
        heap.swapAt(0, heap.count - 1)
        heap.removeLast()
        var parent = 0
        while true {
            var least = parent
            for child in [2 * parent + 1, 2 * parent + 2] where child < heap.count {
                if heap[child].deadline < heap[least].deadline { least = child }
            }
            if least == parent { return }
            heap.swapAt(parent, least)
            parent = least
        }
    }
}
