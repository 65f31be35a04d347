// SPDX-License-Identifier: BSD-3-Clause
public import SwiftletFlux

/// A job as its submitter sees it: what it is now, and how it ended. Used on the thread of its instance's loop.
public final class FluxJob {
    public enum Ending {
        /// Flux has said how.
        case ended(FluxJobEnd)
        /// Flux did not take it.
        case refused(FluxFault)
        /// Flux cannot be asked any more, or knows nothing of it.
        case lost(FluxFault)
    }

    /// Nil until Flux has taken it.
    public internal(set) var id: FluxJobID?
    public internal(set) var progress = FluxJobProgress()
    public internal(set) var ending: Ending?
    /// Called with each event, after `progress` has taken it in.
    public var onEvent: (FluxEvent) -> Void = { _ in }
    /// Called once Flux has taken it.
    public var onAccepted: (FluxJobID) -> Void = { _ in }
    /// Called once.
    public var onEnd: (Ending) -> Void = { _ in }

    /// Why it is to be cancelled as soon as it has an id.
    var pendingCancel: String?

    public init() {}

    func end(_ ending: Ending) {
        guard self.ending == nil else { return }
        self.ending = ending
        onEnd(ending)
    }
}
