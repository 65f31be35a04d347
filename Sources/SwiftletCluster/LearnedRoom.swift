// SPDX-License-Identifier: BSD-3-Clause
import SwiftletModel

/// How many jobs a system takes at a time, learned from what it refuses: sites have limits that nobody can read (those of a
/// quality of service, of a partition, of a group with others in it), and they change. A value.
struct LearnedRoom: Equatable {
    /// The most jobs in the queue at a time; at least one.
    private(set) var jobs: Int
    /// When more is tried.
    private(set) var growsAt: Instant
    /// How long after that yet more is tried.
    private var pause = shortest
    /// Nothing was refused since more was tried.
    private var hasGrown = false

    private static let shortest: UInt64 = 2_000_000_000
    private static let longest: UInt64 = 32_000_000_000

    /// The system has refused so many beside those of ours that are in its queue: half of them are tried next. The more often it
    /// refuses what was tried beyond what it had taken, the later that is tried again.
    init(beside queued: Int, refused: Int, after last: LearnedRoom?, at now: Instant) {
        jobs = max(1, queued + refused / 2)
        if let last { pause = last.hasGrown ? min(last.pause * 2, Self.longest) : last.pause }
        growsAt = now.advanced(by: pause)
    }

    /// Others may have left: twice as many are tried.
    mutating func grow(at now: Instant) {
        if hasGrown { pause = Self.shortest }
        jobs = jobs > Int.max / 2 ? .max : jobs * 2
        hasGrown = true
        growsAt = now.advanced(by: pause)
    }
}
