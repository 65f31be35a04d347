// SPDX-License-Identifier: BSD-3-Clause
import SwiftletModel

/// The ready tasks of one request class, oldest first (task numbers increase with each submit).
///
/// Tasks that are ready when they are submitted arrive in order and form a list. Those that become ready late
/// (inputs, retries) would have to go into the middle of it: they are kept in a heap beside it.
struct ReadyQueue {
    private struct Late: Comparable {
        var id: UInt64
        var place: Place
        static func < (left: Late, right: Late) -> Bool { left.id < right.id }
    }

    private var first = Place.nowhere
    private var last = Place.nowhere
    /// May hold tasks that were removed since; they are thrown away when they come up.
    private var late = MinHeap<Late>()

    /// Number of tasks in the queue.
    private(set) var count = 0
    /// Number of the oldest task; the largest possible number where there is none.
    private(set) var head = UInt64.max

    mutating func push(_ place: Place, in tasks: inout Slab<TaskRecord>) {
        let id = tasks[place].id.rawValue
        count += 1
        if last.isSomewhere, tasks[last].id.rawValue > id {
            late.insert(Late(id: id, place: place))
            tasks[place].isLinked = false
        } else {
            tasks[place].isLinked = true
            tasks[place].next = .nowhere
            tasks[place].previous = last
            if last.isSomewhere { tasks[last].next = place } else { first = place }
            last = place
        }
        if id < head { head = id }
    }

    /// Takes the oldest task.
    mutating func popHead(in tasks: inout Slab<TaskRecord>) -> Place {
        if first.isSomewhere, tasks[first].id.rawValue == head {
            let place = first
            remove(place, in: &tasks)
            return place
        }
        let place = late.first!.place  // `head` names it: `findHead` left it on top
        remove(place, in: &tasks)
        return place
    }

    /// Takes a task out, wherever it stands.
    mutating func remove(_ place: Place, in tasks: inout Slab<TaskRecord>) {
        count -= 1
        if tasks[place].isLinked {
            let (next, previous) = (tasks[place].next, tasks[place].previous)
            if previous.isSomewhere { tasks[previous].next = next } else { first = next }
            if next.isSomewhere { tasks[next].previous = previous } else { last = previous }
            tasks[place].isLinked = false
        }
        if tasks[place].id.rawValue == head { findHead(removing: place, in: tasks) }
    }

    private mutating func findHead(removing place: Place, in tasks: Slab<TaskRecord>) {
        if count == 0 {
            late.removeAll()
            head = .max
            return
        }
        while let top = late.first {
            let task = tasks[top.place]
            let isStale = top.place == place || task.id.rawValue != top.id || task.state != .ready || task.isLinked
            guard isStale else { break }
            _ = late.popFirst()
        }
        head = min(first.isSomewhere ? tasks[first].id.rawValue : .max, late.first?.id ?? .max)
    }
}
