// SPDX-License-Identifier: BSD-3-Clause
import Synchronization

/// In which order results come.
public struct ResultOrder: Hashable, Sendable {
    enum Kind { case input, completion }
    let kind: Kind
    /// As the inputs were.
    public static let input = ResultOrder(kind: .input)
    /// As the tasks end.
    public static let completion = ResultOrder(kind: .completion)
}

extension Executor {
    /// Runs a task for each input and gives their values one after the other. The first that has none ends the sequence with its
    /// error; what has been submitted then, or when the loop is left, is cancelled.
    ///
    /// ```swift
    /// for try await mean in executor.map(rates, { LogisticMean(rate: $0) }) { … }
    /// ```
    ///
    /// - Parameters:
    ///   - limit: how many tasks are submitted ahead of what was taken; a sequence without end is fine. With less than 1 the sequence
    ///     is an error (`refused`).
    ///   - cacheKey: of the task for an input, as ``submit(_:resources:after:cacheKey:)`` has it. The task's arguments are part of the key
    ///     already, so one for all is enough: `{ _ in CacheKey("mean") }`.
    public func map<Inputs: Sequence, T: RemoteTask>(
        _ inputs: Inputs, order: ResultOrder = .input, limit: Int = 1024, resources: ResourceRequest? = nil,
        cacheKey: ((Inputs.Element) throws -> CacheKey?)? = nil, _ task: @escaping (Inputs.Element) throws -> T
    ) -> TaskMap<Inputs, T> {
        TaskMap(outcomes: outcomes(of: inputs, order: order, limit: limit, resources: resources, cacheKey: cacheKey, task))
    }

    /// The same, but a task without value is an element like any other: its input, and how it ended.
    public func outcomes<Inputs: Sequence, T: RemoteTask>(
        of inputs: Inputs, order: ResultOrder = .input, limit: Int = 1024, resources: ResourceRequest? = nil,
        cacheKey: ((Inputs.Element) throws -> CacheKey?)? = nil, _ task: @escaping (Inputs.Element) throws -> T
    ) -> TaskOutcomes<Inputs, T> {
        TaskOutcomes(
            executor: self, inputs: inputs, order: order, limit: limit, resources: resources, cacheKey: cacheKey, task: task)
    }
}

/// The values of ``Executor/map(_:order:limit:resources:cacheKey:_:)``.
public struct TaskMap<Inputs: Sequence, T: RemoteTask>: AsyncSequence {
    let outcomes: TaskOutcomes<Inputs, T>

    public struct AsyncIterator: AsyncIteratorProtocol {
        var outcomes: TaskOutcomes<Inputs, T>.AsyncIterator

        /// Makes tasks, and runs the iterator of the inputs, on the actor of whoever iterates.
        public mutating func next(isolation actor: isolated (any Actor)?) async throws -> T.Output? {
            guard let (_, result) = try await outcomes.next(isolation: actor) else { return nil }
            do { return try result.get() } catch {
                outcomes.stop()
                throw error
            }
        }
    }

    public func makeAsyncIterator() -> AsyncIterator { AsyncIterator(outcomes: outcomes.makeAsyncIterator()) }
}

/// The elements of ``Executor/outcomes(of:order:limit:resources:cacheKey:_:)``.
public struct TaskOutcomes<Inputs: Sequence, T: RemoteTask>: AsyncSequence {
    let executor: Executor
    let inputs: Inputs
    let order: ResultOrder
    let limit: Int
    let resources: ResourceRequest?
    let cacheKey: ((Inputs.Element) throws -> CacheKey?)?
    let task: (Inputs.Element) throws -> T

    public struct AsyncIterator: AsyncIteratorProtocol {
        private let source: TaskOutcomes
        private var inputs: Inputs.Iterator
        private let window = Window<Inputs.Element, T.Output>()
        private var isExhausted = false

        init(_ source: TaskOutcomes) {
            self.source = source
            inputs = source.inputs.makeIterator()
        }

        /// Makes tasks, and runs the iterator of the inputs, on the actor of whoever iterates: they may use what is that actor's.
        ///
        /// - Throws: what making or submitting a task throws, `CancellationError`, and ``TaskError`` (`refused`) for a limit below 1.
        public mutating func next(
            isolation actor: isolated (any Actor)?
        ) async throws -> (input: Inputs.Element, result: Result<T.Output, TaskError>)? {
            do {
                if source.limit < 1 { throw TaskError(.refused, "limit is \(source.limit); a map needs at least 1") }
                try Task.checkCancellation()
                while !isExhausted, window.count < source.limit {
                    guard let input = inputs.next() else {
                        isExhausted = true
                        break
                    }
                    window.add(
                        input,
                        try source.executor.submit(
                            source.task(input), resources: source.resources, cacheKey: source.cacheKey?(input)))
                }
            } catch {
                stop()
                throw error
            }
            guard let (input, handle) = await window.take(source.order, isolation: actor) else { return nil }
            return (input, await handle.result)
        }

        /// Cancels what has been submitted; nothing more is.
        mutating func stop() {
            isExhausted = true
            window.cancel()
        }
    }

    public func makeAsyncIterator() -> AsyncIterator { AsyncIterator(self) }
}

/// Tasks that were submitted and not taken yet. Used by one iterator; only the list of the ended ones is shared with the engine's
/// thread.
private final class Window<Input, Output: Codable & Sendable> {
    private var handles: [Int: (Input, TaskHandle<Output>)] = [:]
    private var added = 0
    private var taken = 0
    private let ended = CompletionList()

    var count: Int { handles.count }

    func add(_ input: Input, _ handle: TaskHandle<Output>) {
        let number = added
        added += 1
        handles[number] = (input, handle)
        handle.call.whenEnded { [ended] in ended.append(number) }
    }

    /// Waits for the next in that order; nil where there is none.
    func take(_ order: ResultOrder, isolation actor: isolated (any Actor)?) async -> (Input, TaskHandle<Output>)? {
        guard !handles.isEmpty else { return nil }
        switch order.kind {
        case .input:
            taken += 1
            return handles.removeValue(forKey: taken - 1)
        case .completion:
            let number = await withTaskCancellationHandler {
                await ended.next()
            } onCancel: { [pending = handles.values.map(\.1)] in
                for handle in pending { handle.cancel() }
            }
            return handles.removeValue(forKey: number)
        }
    }

    func cancel() { for (_, handle) in handles.values { handle.cancel() } }

    deinit { cancel() }
}

/// Numbers of tasks in the order in which they ended.
private final class CompletionList: Sendable {
    private struct State {
        var numbers: [Int] = []
        var first = 0
        var waiting: CheckedContinuation<Int, Never>?
    }
    private let state = Mutex(State())

    func append(_ number: Int) {
        let waiting = state.withLock { state -> CheckedContinuation<Int, Never>? in
            guard let waiting = state.waiting else {
                state.numbers.append(number)
                return nil
            }
            state.waiting = nil
            return waiting
        }
        waiting?.resume(returning: number)
    }

    func next() async -> Int {
        await withCheckedContinuation { continuation in
            let number = state.withLock { state -> Int? in
                guard state.first < state.numbers.count else {
                    state.waiting = continuation
                    return nil
                }
                defer { state.first += 1 }
                let number = state.numbers[state.first]
                if state.first == state.numbers.count - 1 {
                    state.numbers.removeAll(keepingCapacity: true)
                    state.first = -1
                }
                return number
            }
            if let number { continuation.resume(returning: number) }
        }
    }
}
