// SPDX-License-Identifier: BSD-3-Clause

/// A task that was submitted, whatever its value's type: a ``TaskHandle``.
public protocol SubmittedTask: Sendable {
    /// Whether the task has ended.
    var hasEnded: Bool { get }
    /// Ends the task, also while it runs.
    func cancel()
}

/// What the library asks of handles whose type it does not know.
protocol CallHolder {
    var call: PendingCall { get }
}

/// A task that was submitted. Letting go of it does not cancel the task.
public struct TaskHandle<Output: Codable & Sendable>: SubmittedTask, CallHolder {
    let call: PendingCall

    /// What the task's `run()` returned; waits for it. Cancelling the waiting Swift task cancels this one.
    ///
    /// - Throws: ``TaskError`` where it has no value.
    public var value: Output {
        get async throws(TaskError) {
            let outcome =
                if let ended = call.outcome {
                    ended
                } else {
                    await withTaskCancellationHandler {
                        await call.result()
                    } onCancel: {
                        call.cancel()
                    }
                }
            return try TaskCoding.decode(Output.self, outcome.get())
        }
    }

    /// Waits for the end, and says how it was instead of throwing.
    public var result: Result<Output, TaskError> {
        get async {
            do throws(TaskError) { return .success(try await value) } catch { return .failure(error) }
        }
    }

    /// Whether the task has ended.
    public var hasEnded: Bool { call.outcome != nil }

    /// Ends the task, also while it runs; ``value`` throws ``TaskError/Code/cancelled`` from now on unless it had ended already.
    /// Tasks that have it as input and have not started are cancelled too.
    public func cancel() { call.cancel() }
}
