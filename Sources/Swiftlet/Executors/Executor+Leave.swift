// SPDX-License-Identifier: BSD-3-Clause

extension Executor {
    /// For executors whose tasks are jobs (``ExecutorConfiguration/slurmCluster(cacheDirectory:resources:environment:program:)`` and
    /// ``ExecutorConfiguration/fluxCluster(cacheDirectory:resources:environment:program:)``): queues
    /// what can be queued and lets go. Tasks that have not ended end here with ``TaskError/Code/engineEnded``; their jobs go on.
    ///
    /// - Returns: how many tasks are not queued, because the site's limits or the lack of dependencies forbid it. Whoever comes back
    ///   and submits them again queues them.
    /// - Throws: ``TaskError`` where the executor has no jobs, or has ended.
    @discardableResult
    public func leave() async throws(TaskError) -> Int { try await client.leave() }
}
