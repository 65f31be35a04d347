// SPDX-License-Identifier: BSD-3-Clause
import SwiftletModel
import Synchronization

/// A submitted call until its outcome is known, and the outcome from then on. There may be a million of them: it is kept small.
final class PendingCall: Sendable {
    typealias Outcome = Result<[UInt8], TaskError>

    private enum Waiter {
        case continuation(CheckedContinuation<Outcome, Never>)
        case observer(@Sendable () -> Void)
    }

    private enum State {
        case waiting([Waiter])
        case ended(Outcome)
    }

    let task: TaskID
    let client: EngineClient
    private let state = Mutex(State.waiting([]))

    init(_ task: TaskID, client: EngineClient) {
        self.task = task
        self.client = client
    }

    deinit { client.release(task, isSmall: isSmall) }

    /// It has ended with a value that the engine may well keep a little longer.
    private var isSmall: Bool {
        state.withLock { if case .ended(.success(let value)) = $0 { value.count <= 4096 } else { false } }
    }

    /// nil while it has not ended.
    var outcome: Outcome? {
        state.withLock { if case .ended(let outcome) = $0 { outcome } else { nil } }
    }

    func result() async -> Outcome {
        await withCheckedContinuation { continuation in
            if let outcome = add(.continuation(continuation)) { continuation.resume(returning: outcome) }
        }
    }

    /// Calls `observer` once at the end, at once if that has been; on whatever thread it happens.
    func whenEnded(_ observer: @escaping @Sendable () -> Void) {
        if add(.observer(observer)) != nil { observer() }
    }

    private func add(_ waiter: Waiter) -> Outcome? {
        state.withLock { state in
            switch state {
            case .ended(let outcome): return outcome
            case .waiting(let others):
                state = .waiting(others + [waiter])
                return nil
            }
        }
    }

    /// The first end counts; false where it had ended before.
    @discardableResult
    func end(_ outcome: Outcome) -> Bool {
        guard let waiting = settle(outcome) else { return false }
        waiting.forEach { $0() }
        return true
    }

    /// The same, but those who wait are told by the caller, later; nil where it had ended before.
    func settle(_ outcome: Outcome) -> [() -> Void]? {
        let waiting: [Waiter]? = state.withLock { state in
            guard case .waiting(let waiting) = state else { return nil }
            state = .ended(outcome)
            return waiting
        }
        return waiting?.map { waiter in
            switch waiter {
            case .continuation(let continuation): { continuation.resume(returning: outcome) }
            case .observer(let observer): observer
            }
        }
    }

    func cancel() {
        if end(.failure(TaskError(.cancelled, "the task was cancelled"))) { client.cancel(task) }
    }
}
