// SPDX-License-Identifier: BSD-3-Clause

/// How many there are of each, for status lines.
public struct SchedulerCounts: Hashable, Sendable {
    /// Tasks that wait for inputs.
    public var waiting = 0
    /// Tasks that could run (also those a worker has been given ahead).
    public var ready = 0
    /// Tasks that have begun and have not ended.
    public var running = 0
    /// Tasks that have ended, since the scheduler exists.
    public var ended = 0
    /// Workers that have a process.
    public var workers = 0
    /// Workers that work on a call, or still hold the process of one.
    public var busyWorkers = 0
    /// Cores that are occupied by workers.
    public var coresUsed = 0

    public init() {}
}
