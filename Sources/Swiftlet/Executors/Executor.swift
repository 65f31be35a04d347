// SPDX-License-Identifier: BSD-3-Clause

/// Runs tasks in other processes. It exists for the duration of ``withExecutor(_:_:)``.
public struct Executor: Sendable {
    let client: EngineClient

    /// Queues a task and returns at once.
    ///
    /// - Parameters:
    ///   - resources: what the task asks for; nil: the executor's default.
    ///   - others: tasks that must have ended with a value before this one starts, beside its inputs.
    ///   - cacheKey: where its value is kept in the executor's cache directory, and found instead of running it again; nil: it is not.
    /// - Throws: ``TaskError`` where the type cannot be found by a worker, the task cannot be encoded, the request makes no sense,
    ///   or the executor has ended.
    public func submit<T: RemoteTask>(
        _ task: T, resources: ResourceRequest? = nil, after others: [any SubmittedTask] = [], cacheKey: CacheKey? = nil
    ) throws(TaskError) -> TaskHandle<T.Output> {
        var resources = resources ?? client.configuration.resources
        if resources.workingDirectory != nil { resources.workingDirectory = try absoluteDirectory(resources.workingDirectory) }
        try client.plan.check(resources)
        return TaskHandle(
            call: try client.submit(
                task, resources: resources, after: others.compactMap { ($0 as? any CallHolder)?.call }, cacheKey: cacheKey))
    }

    /// Queues a task whose value is what `run()` returned on each rank, by rank; the ranks are `resources.cores`.
    ///
    /// ```swift
    /// let parts = try executor.submitToRanks(PartialSum(of: numbers), resources: ResourceRequest(cores: 4))
    /// let sum = try await parts.value.reduce(0, +)
    /// ```
    ///
    /// When a rank throws, the task ends with its error, and the others are ended.
    /// - Throws: as ``submit(_:resources:after:cacheKey:)``.
    public func submitToRanks<T: RemoteTask>(
        _ task: T, resources: ResourceRequest? = nil, after others: [any SubmittedTask] = [], cacheKey: CacheKey? = nil
    ) throws(TaskError) -> TaskHandle<[T.Output]> {
        let task = try (task as? Command)?.inAbsoluteDirectory() as? T ?? task
        return try submit(EveryRank(task: task), resources: resources, after: others, cacheKey: cacheKey)
    }

    /// Submits a task and waits for its value. Cancelling the waiting Swift task cancels it.
    public func run<T: RemoteTask>(
        _ task: T, resources: ResourceRequest? = nil, cacheKey: CacheKey? = nil
    ) async throws(TaskError) -> T.Output {
        try await submit(task, resources: resources, cacheKey: cacheKey).value
    }
}

/// Gives `body` an executor and ends it afterwards: submitted tasks end first; where `body` throws or is cancelled they are
/// cancelled. No process is left when this returns. `body` runs on the actor of whoever calls this, and may use what is that actor's.
///
/// ```swift
/// let mean = try await withExecutor(.singleNode(maxCores: 4)) { executor in
///     try await executor.submit(Mean(numbers: [1, 2, 3])).value
/// }
/// ```
///
/// - Throws: what `body` throws, or ``TaskError`` where the configuration makes no sense.
public nonisolated(nonsending) func withExecutor<Result>(
    _ configuration: ExecutorConfiguration, _ body: (Executor) async throws -> Result
) async throws -> Result {
    ProcessRole.requireProgram()
    let client = try EngineClient(try await ExecutorPlan(configuration))
    return try await withTaskCancellationHandler {
        do {
            let result = try await body(Executor(client: client))
            await client.shutDown(cancelWaiting: false)
            return result
        } catch {
            client.cancelEverything()
            await client.shutDown(cancelWaiting: true)
            throw error
        }
    } onCancel: {
        client.cancelEverything()
    }
}
