// SPDX-License-Identifier: BSD-3-Clause

/// A task: one submitted call. Numbered by the client, increasing from 1.
@frozen public struct TaskID: SequentialID, CustomStringConvertible {
    public let rawValue: UInt64
    @inlinable public init(_ rawValue: UInt64) { self.rawValue = rawValue }
    public var description: String { "task \(rawValue)" }
}

/// Bytes that many tasks share. Numbered by the client, increasing from 1.
@frozen public struct BlobID: SequentialID {
    public let rawValue: UInt64
    @inlinable public init(_ rawValue: UInt64) { self.rawValue = rawValue }
}

/// An identifier that is counted up by a trusted side. It is hashed by one multiplication: tables of a million tasks are on the
/// hot path, and nobody chooses these numbers to make them collide. Eight that follow each other lie side by side, as they are mostly
/// used one after the other; not more, because numbers that stay for long would then stand in each other's way.
public protocol SequentialID: Hashable, Sendable {
    var rawValue: UInt64 { get }
}

extension SequentialID {
    @inlinable public func _rawHashValue(seed: Int) -> Int {
        let product = (rawValue >> 3 ^ UInt64(truncatingIfNeeded: seed)) &* 0x9E37_79B9_7F4A_7C15
        return Int(truncatingIfNeeded: (product ^ product >> 32) << 3 | rawValue & 7)
    }

    @inlinable public func hash(into hasher: inout Hasher) { hasher.combine(rawValue) }
}

/// A worker: a process (or group of MPI ranks) that runs tasks. Numbered by the scheduler, never reused.
@frozen public struct WorkerID: Hashable, Sendable, CustomStringConvertible {
    public let rawValue: UInt32
    @inlinable public init(_ rawValue: UInt32) { self.rawValue = rawValue }
    public var description: String { "worker \(rawValue)" }
}

/// A resource request that many tasks share. Numbered by the client.
@frozen public struct RequestID: Hashable, Sendable {
    public let rawValue: UInt32
    @inlinable public init(_ rawValue: UInt32) { self.rawValue = rawValue }
}

/// A moment on the monotonic clock, in nanoseconds. The scheduler is given the time, it never reads a clock.
@frozen public struct Instant: Comparable, Hashable, Sendable {
    public let nanoseconds: UInt64
    @inlinable public init(nanoseconds: UInt64) { self.nanoseconds = nanoseconds }
    @inlinable public static func < (left: Instant, right: Instant) -> Bool { left.nanoseconds < right.nanoseconds }
    @inlinable public func advanced(by nanoseconds: UInt64) -> Instant { Instant(nanoseconds: self.nanoseconds &+ nanoseconds) }
}
