// SPDX-License-Identifier: BSD-3-Clause

/// Where tasks run.
public struct ExecutorKind: Sendable {
    var workers: Int
    var program: [String]

    /// On this machine, by `workers` processes that stay and take call after call.
    ///
    /// - Parameter program: the program that the workers run, with its first arguments: this one unless said otherwise. It must
    ///   enter worker mode (``TaskProgram``) and have the types of the tasks.
    public static func singleNode(workers: Int, program: String = "/proc/self/exe") -> ExecutorKind {
        precondition(workers > 0, "an executor needs at least one worker, not \(workers)")
        return ExecutorKind(workers: workers, program: [program])
    }
}

/// Runs tasks in other processes. It exists for the duration of ``withExecutor(_:_:)``.
public struct Executor: Sendable {
    let client: EngineClient

    /// Queues a task and returns at once.
    ///
    /// - Throws: ``TaskError`` where the type cannot be found by a worker or the task cannot be encoded.
    public func submit<T: RemoteTask>(_ task: T) throws(TaskError) -> TaskHandle<T.Output> {
        TaskHandle(call: try client.submit(type: TaskTypeName.name(of: T.self), arguments: TaskCoding.encode(task)))
    }
}

/// Gives `body` an executor and ends it afterwards: submitted tasks end first; where `body` throws or is cancelled they are
/// cancelled. No process is left when this returns.
///
/// - Throws: what `body` throws.
public func withExecutor<Result>(
    _ kind: ExecutorKind, _ body: (Executor) async throws -> Result
) async throws -> Result {
    precondition(
        !ProcessRole.isSet,
        "an executor was made in a process that was started as a worker, before it entered worker mode: make the program a "
            + "TaskProgram, or call enterWorkerModeIfAsked() first of all")
    let client = EngineClient(kind)
    do {
        let result = try await body(Executor(client: client))
        await client.shutDown(cancelWaiting: false)
        return result
    } catch {
        client.cancelEverything()
        await client.shutDown(cancelWaiting: true)
        throw error
    }
}

/// A task that was submitted.
public struct TaskHandle<Output: Codable & Sendable>: Sendable {
    let call: PendingCall

    /// What the task's `run()` returned; waits for it. Cancelling the waiting Swift task cancels this one.
    ///
    /// - Throws: ``TaskError`` where it has no value.
    public var value: Output {
        get async throws(TaskError) {
            let result = await withTaskCancellationHandler {
                await call.result()
            } onCancel: {
                call.cancel()
            }
            return try TaskCoding.decode(Output.self, result.get())
        }
    }

    /// Ends the task, also while it runs; ``value`` throws ``TaskError/Code/cancelled`` from now on unless it had ended already.
    public func cancel() { call.cancel() }
}
