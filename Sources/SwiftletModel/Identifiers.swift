// SPDX-License-Identifier: BSD-3-Clause

/// A task: one submitted call. Numbered by the client, increasing from 1.
public struct TaskID: Hashable, Sendable, CustomStringConvertible {
    public let rawValue: UInt64
    public init(_ rawValue: UInt64) { self.rawValue = rawValue }
    public var description: String { "task \(rawValue)" }
}

/// A worker: a process (or group of MPI ranks) that runs tasks. Numbered by the scheduler, never reused.
public struct WorkerID: Hashable, Sendable, CustomStringConvertible {
    public let rawValue: UInt32
    public init(_ rawValue: UInt32) { self.rawValue = rawValue }
    public var description: String { "worker \(rawValue)" }
}

/// A resource request that many tasks share. Numbered by the client.
public struct RequestID: Hashable, Sendable {
    public let rawValue: UInt32
    public init(_ rawValue: UInt32) { self.rawValue = rawValue }
}

/// A moment on the monotonic clock, in nanoseconds. The scheduler is given the time, it never reads a clock.
public struct Instant: Comparable, Hashable, Sendable {
    public let nanoseconds: UInt64
    public init(nanoseconds: UInt64) { self.nanoseconds = nanoseconds }
    public static func < (left: Instant, right: Instant) -> Bool { left.nanoseconds < right.nanoseconds }
    public func advanced(by nanoseconds: UInt64) -> Instant { Instant(nanoseconds: self.nanoseconds &+ nanoseconds) }
}
