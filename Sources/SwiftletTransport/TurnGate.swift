// SPDX-License-Identifier: BSD-3-Clause
import Synchronization

/// Lets one thread at a time take a turn of a loop: the loop's own, or, while that one waits, any other that has something to say
/// and would only have to wake it.
public final class TurnGate: Sendable {
    /// What a visitor does; true: the loop's thread has to look again for how long it may wait.
    ///
    /// It reaches all that the loop does, which is not `Sendable`. It is used by who holds the gate only, as everything is that it
    /// reaches, from `open` to `close`.
    private struct Visit: @unchecked Sendable {
        let take: () -> Bool
    }

    private let visit = Mutex<Visit?>(nil)

    public init() {}

    /// From now on others may come.
    func open(_ take: @escaping () -> Bool) {
        let visit = Visit(take: take)
        self.visit.withLock { $0 = visit }
    }

    /// Returns when nobody is in there, and nobody will be.
    func close() { visit.withLock { $0 = nil } }

    /// Takes a turn of the loop's own.
    func pass<Result: Sendable>(_ turn: () -> Result) -> Result { visit.withLock { _ in turn() } }

    /// Takes a turn on the caller's thread where the loop's own has none; nil where that cannot be.
    func visitIfFree() -> Bool? { (visit.withLockIfAvailable { $0?.take() }) ?? nil }
}
