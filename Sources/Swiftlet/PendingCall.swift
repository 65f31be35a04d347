// SPDX-License-Identifier: BSD-3-Clause
import Synchronization

/// A submitted call until its outcome is known, and the outcome from then on.
final class PendingCall: Sendable {
    typealias Outcome = Result<[UInt8], TaskError>

    private enum State {
        case waiting([CheckedContinuation<Outcome, Never>])
        case ended(Outcome)
    }

    private let state = Mutex(State.waiting([]))
    private let cancelled: @Sendable () -> Void
    private let released: @Sendable () -> Void

    init(cancelled: @escaping @Sendable () -> Void, released: @escaping @Sendable () -> Void) {
        self.cancelled = cancelled
        self.released = released
    }

    deinit { released() }

    func result() async -> Outcome {
        await withCheckedContinuation { continuation in
            let outcome: Outcome? = state.withLock { state in
                switch state {
                case .ended(let outcome): return outcome
                case .waiting(let others):
                    state = .waiting(others + [continuation])
                    return nil
                }
            }
            if let outcome { continuation.resume(returning: outcome) }
        }
    }

    /// The first end counts; false where it had ended before.
    @discardableResult
    func end(_ outcome: Outcome) -> Bool {
        let waiting: [CheckedContinuation<Outcome, Never>]? = state.withLock { state in
            guard case .waiting(let waiting) = state else { return nil }
            state = .ended(outcome)
            return waiting
        }
        for continuation in waiting ?? [] { continuation.resume(returning: outcome) }
        return waiting != nil
    }

    func cancel() {
        if end(.failure(TaskError(code: .cancelled, description: "the task was cancelled", errorOutput: ""))) { cancelled() }
    }
}
