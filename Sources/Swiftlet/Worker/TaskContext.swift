// SPDX-License-Identifier: BSD-3-Clause
import Synchronization

/// What a running task can know about where it runs.
public struct TaskContext: Sendable {
    /// That of the task that runs; nil outside of ``RemoteTask/run()``.
    @TaskLocal public static var current: TaskContext?

    /// The number of the attempt, from 1.
    public let attempt: Int
    /// The place of the worker among the warm ones, from 0; nil for a fresh one.
    public let workerIndex: Int?
    /// The number of this process among those that run the task, from 0.
    public let rank: Int
    /// How many processes run the task: its ``ResourceRequest/cores``.
    public let rankCount: Int

    /// This process is one of several that run each of its tasks together, whichever Swift task of it asks.
    static var isRankOfSeveral: Bool { isRank.load(ordering: .relaxed) }
    private static let isRank = Atomic(false)

    /// Said once, before the first task.
    static func processBecame(_ rank: Rank) { isRank.store(rank.count > 1, ordering: .relaxed) }
}
