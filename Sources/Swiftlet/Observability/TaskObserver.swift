// SPDX-License-Identifier: BSD-3-Clause

/// Is told what becomes of an executor's tasks: for logs, metrics and traces. The package's traits `Logging`, `Metrics` and `Tracing`
/// bring observers for swift-log, swift-metrics and swift-distributed-tracing; without them nothing of the kind is linked.
///
/// It is called where things happen, on the submitting thread and the engine's, and should return soon.
public protocol TaskObserver: Sendable {
    /// A task has been submitted.
    func submitted(_ task: ObservedTask)
    /// A task has ended; every submitted one does, once.
    func ended(_ task: ObservedTask, _ end: ObservedEnd)
}

/// A task as observers see it: never its arguments, which may be secrets.
public struct ObservedTask: Hashable, Sendable {
    /// Its number in the executor.
    public let number: UInt64
    /// The name of its type.
    public let name: String
}

/// How a task ended.
public struct ObservedEnd: Sendable {
    /// nil where it has a value.
    public let error: TaskError?
    /// How long it ran; zero where it never did.
    public let duration: Duration
}

extension ExecutorConfiguration {
    /// The same, observed by one more.
    public func observed(by observer: any TaskObserver) -> ExecutorConfiguration {
        var configuration = self
        configuration.observers.append(observer)
        return configuration
    }
}
