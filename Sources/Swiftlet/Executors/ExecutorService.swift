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
            case waiting([UInt64: CheckedContinuation<Executor, any Error>])
            case running(Executor)
            case ended
        }

        private let configuration: ExecutorConfiguration
        private let state = Mutex(State.waiting([:]))
        private let lastWaiting = Atomic<UInt64>(0)

        public init(_ configuration: ExecutorConfiguration) { self.configuration = configuration }

        public func run() async throws {
            defer { end() }
            try await withExecutor(configuration) { executor in
                let waiting = state.withLock { state -> [CheckedContinuation<Executor, any Error>] in
                    guard case .waiting(let waiting) = state else { return [] }
                    state = .running(executor)
                    return Array(waiting.values)
                }
                for continuation in waiting { continuation.resume(returning: executor) }
                try await gracefulShutdown()
            }
        }

        /// The executor; waits until the service runs.
        /// - Throws: ``TaskError``: `engineEnded` after its end, `cancelled` where the Swift task is cancelled that waits for its start.
        public var executor: Executor {
            get async throws {
                let number = lastWaiting.add(1, ordering: .relaxed).newValue
                return try await withTaskCancellationHandler {
                    try await withCheckedThrowingContinuation { continuation in
                        let executor: Result<Executor, any Error>? = state.withLock { state in
                            switch state {
                            case .waiting(var waiting):
                                // Cancelled before: then the handler has been called, and found nobody.
                                if Task.isCancelled { return .failure(Self.cancelled) }
                                waiting[number] = continuation
                                state = .waiting(waiting)
                                return nil
                            case .running(let executor): return .success(executor)
                            case .ended: return .failure(Self.ended)
                            }
                        }
                        if let executor { continuation.resume(with: executor) }
                    }
                } onCancel: {
                    stopWaiting(number)
                }
            }
        }

        private static var cancelled: TaskError {
            TaskError(.cancelled, "it was cancelled before the service of the executor had started")
        }
        private static var ended: TaskError { TaskError(.engineEnded, "the service of the executor has ended") }

        private func stopWaiting(_ number: UInt64) {
            let continuation = state.withLock { state -> CheckedContinuation<Executor, any Error>? in
                guard case .waiting(var waiting) = state else { return nil }
                defer { state = .waiting(waiting) }
                return waiting.removeValue(forKey: number)
            }
            continuation?.resume(throwing: Self.cancelled)
        }

        /// Submits a task and waits for its value.
        public func run<T: RemoteTask>(
            _ task: T, resources: ResourceRequest? = nil, cacheKey: CacheKey? = nil
        ) async throws -> T.Output {
            try await executor.run(task, resources: resources, cacheKey: cacheKey)
        }

        private func end() {
            let waiting = state.withLock { state -> [CheckedContinuation<Executor, any Error>] in
                defer { state = .ended }
                if case .waiting(let waiting) = state { return Array(waiting.values) }
                return []
            }
            for continuation in waiting { continuation.resume(throwing: Self.ended) }
        }
    }
#endif
