// SPDX-License-Identifier: BSD-3-Clause
import CSwiftlet

/// Something that waits for a descriptor.
public protocol EventHandler: AnyObject {
    /// Called on the loop's thread when the descriptor is ready for what it was registered for.
    func ready(_ readiness: Readiness)
}

/// For what a descriptor is ready.
public struct Readiness: OptionSet, Sendable {
    public let rawValue: UInt32
    public init(rawValue: UInt32) { self.rawValue = rawValue }
    public static let read = Readiness(rawValue: UInt32(SL_READ))
    public static let write = Readiness(rawValue: UInt32(SL_WRITE))
    /// The other end is gone, or there was an error.
    public static let hangup = Readiness(rawValue: UInt32(SL_HANGUP))
}

/// A loop over descriptors and timers. Everything that is registered with it is used in its turns only: those that its own thread
/// takes when something is ready, and those that others take through its gate while that thread waits.
public final class EventLoop {
    /// In which order handlers that are ready at the same time are called.
    public enum Order: Sendable {
        /// What tasks print comes before the end of the task.
        case early
        case normal
    }

    private struct Registration {
        let handler: any EventHandler
        let descriptor: Int32
        let order: Order
    }

    private let poll: Int32
    private var registrations: [UInt64: Registration] = [:]
    private var nextToken: UInt64 = 1
    private var timers = TimerQueue()
    private var afterEvents: [() -> Void] = []
    private var running = false
    private let gate: TurnGate
    /// The time of the timer that the loop's thread was going to wait for when it last looked.
    private var waitsUntil = UInt64.max
    /// What somebody does who takes a turn through the gate. Set before `run`.
    var visit: (() -> Void)?

    /// Links with boards.
    private var watched: [SocketLink] = []
    /// Who writes to a board need not wake the loop: it looks before it waits.
    private var isLooking = false
    /// The next turn looks at the boards, and whether the last one that did found anything.
    private var looksNext = false
    private var lookFoundAny = true

    /// The number of the turn at hand.
    public private(set) var turn: UInt64 = 0

    /// How long to let events gather before the next turn, in nanoseconds; asked for before each wait.
    public var gathering: () -> UInt64 = { 0 }

    /// - Parameter gate: by which others may take turns.
    public init(gate: TurnGate = TurnGate()) {
        self.gate = gate
        poll = sl_poll_create()
        precondition(poll >= 0, "no epoll instance could be made")
    }

    deinit { closeDescriptor(poll) }

    /// Watches `descriptor`; the token names the registration in the other calls.
    public func register(
        _ descriptor: Int32, for readiness: Readiness, order: Order = .normal, handler: any EventHandler
    ) -> UInt64 {
        let token = nextToken
        nextToken += 1
        registrations[token] = Registration(handler: handler, descriptor: descriptor, order: order)
        let result = sl_poll_add(poll, descriptor, readiness.rawValue, token)
        precondition(result == 0, "descriptor \(descriptor) cannot be watched")
        return token
    }

    public func change(_ token: UInt64, to readiness: Readiness) {
        guard let registration = registrations[token] else { return }
        _ = sl_poll_change(poll, registration.descriptor, readiness.rawValue, token)
    }

    /// Ends the watch. The descriptor must still be open.
    public func unregister(_ token: UInt64) {
        guard let registration = registrations.removeValue(forKey: token) else { return }
        _ = sl_poll_remove(poll, registration.descriptor)
    }

    /// From now on the link's board is looked at.
    func watch(_ link: SocketLink) {
        watched.append(link)
        link.setLooking(isLooking)
    }

    func unwatch(_ link: SocketLink) { watched.removeAll { $0 === link } }

    /// Calls `action` once after so many nanoseconds, unless `cancel` comes first.
    @discardableResult
    public func schedule(after nanoseconds: UInt64, _ action: @escaping () -> Void) -> UInt64 {
        timers.add(at: sl_monotonic_ns() + nanoseconds, action)
    }

    /// Calls `action` once at that time of the monotonic clock.
    @discardableResult
    public func schedule(at deadline: UInt64, _ action: @escaping () -> Void) -> UInt64 {
        timers.add(at: deadline, action)
    }

    public func cancel(timer: UInt64) { timers.cancel(timer) }

    /// Calls `action` when the events at hand have been handled, before the loop waits again.
    public func afterThisTurn(_ action: @escaping () -> Void) { afterEvents.append(action) }

    /// What the loop's thread does between two turns.
    private struct Pause {
        let gathering: UInt64
        let timeout: Int32
    }

    /// Runs until `stop()`.
    public func run() {
        running = true
        if let visit {
            gate.open { [unowned self] in
                guard running else { return true }
                turn += 1
                visit()
                if running { finishTurn() }
                return !running || (timers.next ?? .max) < waitsUntil
            }
        }
        var ready = [sl_ready](repeating: sl_ready(), count: 128)
        var pause = gate.pass { nextPause() }
        while let next = pause {
            if next.gathering > 0 { sl_sleep_ns(next.gathering) }
            let count = Int(sl_poll_wait(poll, &ready, 128, next.timeout))
            precondition(count >= 0, "waiting for events failed")
            pause = gate.pass {
                takeTurn(ready.prefix(count))
                return nextPause()
            }
        }
        gate.close()
    }

    private func takeTurn(_ ready: ArraySlice<sl_ready>) {
        turn += 1
        handle(ready, .early)
        if looksNext {
            looksNext = false
            lookFoundAny = false
            for link in watched where link.lookAtBoard() { lookFoundAny = true }
        }
        handle(ready, .normal)
        for action in timers.due(at: sl_monotonic_ns()) { action() }
    }

    private func handle(_ ready: ArraySlice<sl_ready>, _ order: Order) {
        for event in ready where registrations[event.token]?.order == order {
            registrations[event.token]?.handler.ready(Readiness(rawValue: event.events))
        }
    }

    /// Finishes the turn; nil where the loop was stopped.
    private func nextPause() -> Pause? {
        if running { finishTurn() }
        guard running else { return nil }
        let gathering = gathering()
        // Events gather, and the next turn looks for them without being woken. Where it finds nothing the loop waits as ever.
        if gathering > 0, !watched.isEmpty, lookFoundAny || !isLooking {
            setLooking(true)
            looksNext = true
            return Pause(gathering: gathering, timeout: 0)
        }
        // What is pinned until now was not said aloud; from now on it is.
        if setLooking(false), watched.contains(where: { $0.boardHasNews }) {
            looksNext = true
            return Pause(gathering: 0, timeout: 0)
        }
        return Pause(gathering: gathering, timeout: timeout())
    }

    /// Whether that is a change.
    @discardableResult
    private func setLooking(_ looks: Bool) -> Bool {
        guard looks != isLooking else { return false }
        isLooking = looks
        for link in watched { link.setLooking(looks) }
        return true
    }

    /// Makes `run` return after the turn in which it is called.
    public func stop() { running = false }

    private func finishTurn() {
        while !afterEvents.isEmpty {
            let actions = afterEvents
            afterEvents.removeAll(keepingCapacity: true)
            for action in actions { action() }
        }
    }

    /// Milliseconds until the next timer, rounded up; -1 where there is none.
    private func timeout() -> Int32 {
        waitsUntil = timers.next ?? .max
        guard let next = timers.next else { return -1 }
        let now = sl_monotonic_ns()
        return next <= now ? 0 : Int32(min((next - now + 999_999) / 1_000_000, 3_600_000))
    }
}
