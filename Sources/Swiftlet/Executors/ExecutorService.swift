// SPDX-License-Identifier: BSD-3-Clause
#if ServiceLifecycle
    public import ServiceLifecycle
    import Synchronization

    /// An executor for as long as a service runs (package trait `ServiceLifecycle`): where there is no scope to hold it.
    ///
    /// ```swift
    /// let executor = ExecutorService(.singleNode(mode: .warm))
    /// let group = ServiceGroup(services: [executor, server], gracefulShutdownSignals: [.sigterm], logger: logger)
    /// try await group.run()  // in the server's handlers: try await executor.run(Score(text))
    /// ```
    ///
    /// At a graceful shutdown submitted tasks end first; when the service's Swift task is cancelled, they are cancelled.
    public final class ExecutorService: Service {
        private enum State {
            case waiting([CheckedContinuation<Executor, any Error>])
            case running(Executor)
            case ended
        }

        private let configuration: ExecutorConfiguration
        private let state = Mutex(State.waiting([]))

        public init(_ configuration: ExecutorConfiguration) { self.configuration = configuration }

        public func run() async throws {
            defer { end() }
            try await withExecutor(configuration) { executor in
                let waiting = state.withLock { state -> [CheckedContinuation<Executor, any Error>] in
                    guard case .waiting(let waiting) = state else { return [] }
                    state = .running(executor)
                    return waiting
                }
                for continuation in waiting { continuation.resume(returning: executor) }
                try await gracefulShutdown()
            }
        }

        /// The executor; waits until the service runs.
        /// - Throws: ``TaskError`` (`engineEnded`) after its end.
        public var executor: Executor {
            get async throws {
                try await withCheckedThrowingContinuation { continuation in
                    let executor: Result<Executor, any Error>? = state.withLock { state in
                        switch state {
                        case .waiting(let others):
                            state = .waiting(others + [continuation])
                            return nil
                        case .running(let executor): return .success(executor)
                        case .ended: return .failure(TaskError(.engineEnded, "the service of the executor has ended"))
                        }
                    }
                    if let executor { continuation.resume(with: executor) }
                }
            }
        }

        /// Submits a task and waits for its value.
        public func run<T: RemoteTask>(_ task: T, resources: ResourceRequest? = nil) async throws -> T.Output {
            try await executor.run(task, resources: resources)
        }

        private func end() {
            let waiting = state.withLock { state -> [CheckedContinuation<Executor, any Error>] in
                defer { state = .ended }
                if case .waiting(let waiting) = state { return waiting }
                return []
            }
            for continuation in waiting {
                continuation.resume(throwing: TaskError(.engineEnded, "the service of the executor has ended"))
            }
        }
    }
#endif
