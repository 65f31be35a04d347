// SPDX-License-Identifier: BSD-3-Clause

/// From numbers (of tasks, workers, requests) to places.
///
/// A dictionary of the standard library hashes against attackers who choose keys to collide, which costs more than all
/// else we do for a task. Here the keys are counters, and who chose bad ones would slow down their own executor only.
struct PlaceTable {
    private struct Entry {
        var key: UInt64
        /// `nowhere` where the entry is empty.
        var place: Place
    }

    private var entries: [Entry] = []
    private(set) var count = 0

    var isEmpty: Bool { count == 0 }

    subscript(key: UInt64) -> Place? {
        guard count > 0 else { return nil }
        let entry = entries[position(of: key)]
        return entry.place.isSomewhere ? entry.place : nil
    }

    /// Adds the number, or gives it another place.
    mutating func set(_ key: UInt64, to place: Place) {
        if 4 * (count + 1) > 3 * entries.count { grow() }
        let position = position(of: key)
        if !entries[position].place.isSomewhere { count += 1 }
        entries[position] = Entry(key: key, place: place)
    }

    /// Removes the number; returns its place.
    @discardableResult
    mutating func remove(_ key: UInt64) -> Place? {
        guard count > 0 else { return nil }
        var hole = position(of: key)
        let place = entries[hole].place
        guard place.isSomewhere else { return nil }
        // Entries behind the hole that were pushed aside by it move up, so no mark needs to stay.
        var next = (hole + 1) & (entries.count - 1)
        while entries[next].place.isSomewhere {
            let distance = (next &- home(of: entries[next].key)) & (entries.count - 1)
            if distance >= (next &- hole) & (entries.count - 1) {
                entries[hole] = entries[next]
                hole = next
            }
            next = (next + 1) & (entries.count - 1)
        }
        entries[hole].place = .nowhere
        count -= 1
        return place
    }

    /// Where the number stands, or would stand.
    private func position(of key: UInt64) -> Int {
        var position = home(of: key)
        while entries[position].place.isSomewhere, entries[position].key != key {
            position = (position + 1) & (entries.count - 1)
        }
        return position
    }

    private func home(of key: UInt64) -> Int {
        // 2^64 divided by the golden ratio: consecutive numbers are spread evenly.
        Int(truncatingIfNeeded: (key &* 0x9e37_79b9_7f4a_7c15) >> 32) & (entries.count - 1)
    }

    private mutating func grow() {
        let old = entries
        entries = Array(repeating: Entry(key: 0, place: .nowhere), count: max(16, 2 * old.count))
        for entry in old where entry.place.isSomewhere { entries[position(of: entry.key)] = entry }
    }
}
