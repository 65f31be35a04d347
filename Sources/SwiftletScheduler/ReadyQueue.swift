// SPDX-License-Identifier: BSD-3-Clause
import SwiftletModel

/// The ready tasks of one request class, oldest first (task numbers increase with each submit).
///
/// Tasks that are ready when they are submitted arrive in order and form a list. Those that become ready late
/// (inputs, retries) would have to go into the middle of it: they are kept in a heap beside it.
struct ReadyQueue {
    private struct Late: Comparable {
        var id: UInt64
        var slot: Slot
        static func < (left: Late, right: Late) -> Bool { left.id < right.id }
    }

    private var first = Slot.nowhere
    private var last = Slot.nowhere
    /// May hold tasks that were removed since; they are thrown away when they come up.
    private var late = MinHeap<Late>()

    /// Number of tasks in the queue.
    private(set) var count = 0
    /// Number of the oldest task; the largest possible number where there is none.
    private(set) var head = UInt64.max

    mutating func push(_ slot: Slot, in tasks: inout Slab<TaskRecord>) {
        let id = tasks[slot].id.rawValue
        count += 1
        if last.isSomewhere, tasks[last].id.rawValue > id {
            late.insert(Late(id: id, slot: slot))
            tasks[slot].isLinked = false
        } else {
            tasks[slot].isLinked = true
            tasks[slot].next = .nowhere
            tasks[slot].previous = last
            if last.isSomewhere { tasks[last].next = slot } else { first = slot }
            last = slot
        }
        if id < head { head = id }
    }

    /// Takes the oldest task.
    mutating func popHead(in tasks: inout Slab<TaskRecord>) -> Slot {
        if first.isSomewhere, tasks[first].id.rawValue == head {
            let slot = first
            remove(slot, in: &tasks)
            return slot
        }
        let slot = late.first!.slot  // `head` names it: `findHead` left it on top
        remove(slot, in: &tasks)
        return slot
    }

    /// Takes a task out, wherever it stands.
    mutating func remove(_ slot: Slot, in tasks: inout Slab<TaskRecord>) {
        count -= 1
        if tasks[slot].isLinked {
            let (next, previous) = (tasks[slot].next, tasks[slot].previous)
            if previous.isSomewhere { tasks[previous].next = next } else { first = next }
            if next.isSomewhere { tasks[next].previous = previous } else { last = previous }
            tasks[slot].isLinked = false
        }
        if tasks[slot].id.rawValue == head { findHead(removing: slot, in: tasks) }
    }

    private mutating func findHead(removing slot: Slot, in tasks: Slab<TaskRecord>) {
        if count == 0 {
            late.removeAll()
            head = .max
            return
        }
        while let top = late.first {
            let task = tasks[top.slot]
            let isStale = top.slot == slot || task.id.rawValue != top.id || task.state != .ready || task.isLinked
            guard isStale else { break }
            _ = late.popFirst()
        }
        head = min(first.isSomewhere ? tasks[first].id.rawValue : .max, late.first?.id ?? .max)
    }
}
