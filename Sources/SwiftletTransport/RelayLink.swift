// SPDX-License-Identifier: BSD-3-Clause
public import SwiftletWire

/// How much of a relayed stream may be on its way, in bytes. The receiver says from time to time how much it has passed on.
public enum RelayWindow {
    /// A worker's connection, each way.
    public static let connection = 4 << 20
    /// What a worker prints, each output.
    public static let output = 1 << 20
    /// The largest piece in one frame.
    public static let piece = 1 << 18

    /// Whether so many bytes passed on are worth telling.
    public static func isWorthTelling(_ count: Int, of window: Int) -> Bool { count >= window / 4 }
}

/// Which of a worker's streams a RELAY frame belongs to; the low bits of its flags.
public enum RelayStream: UInt8, Sendable {
    case connection = 0
    case output = 1
    case errors = 2

    /// Flag: the stream has ended.
    public static let end: UInt8 = 4

    /// Of a frame's flags.
    public init?(flags: UInt8) { self.init(rawValue: flags & 3) }

    public var window: Int { self == .connection ? RelayWindow.connection : RelayWindow.output }
}

/// The engine's link to a worker on another node: its bytes travel in RELAY frames over the link to that node's agent.
public final class RelayLink: Link {
    private let worker: UInt64
    private let carrier: Link
    private let inbound = InboundBuffer()
    private var waiting: [UInt8] = []
    private var passed = 0
    private var inFlight = 0
    private var untold = 0

    /// - Parameter carrier: the link to the agent.
    public init(worker: UInt32, carrier: Link, loop: EventLoop) {
        self.worker = UInt64(worker)
        self.carrier = carrier
        super.init(loop: loop)
    }

    public override var unsentBytes: Int { outgoing.count + waiting.count - passed + inFlight }

    public override func flush() {
        while !isClosed {
            if passed == waiting.count {
                guard !outgoing.isEmpty else { break }
                waiting.removeAll(keepingCapacity: waiting.capacity <= 1 << 20)
                swap(&waiting, &outgoing)
                passed = 0
            }
            guard inFlight < RelayWindow.connection else { return }
            let end = min(waiting.count, passed + RelayWindow.piece)
            carrier.send(.relay, id: worker) { $0.append(contentsOf: waiting[passed..<end]) }
            inFlight += end - passed
            passed = end
        }
        if !isClosed { onDrained?() }
    }

    /// The agent has passed on so many bytes.
    public func acknowledged(_ count: Int) {
        inFlight = max(0, inFlight - count)
        flush()
    }

    /// Asks the agent to pass on everything the worker has said, once all that was sent so far lies in the worker's socket, and then
    /// to answer with LOOKED. False where that cannot be: something waits here yet.
    public func look() -> Bool {
        flush()
        guard !isClosed, outgoing.isEmpty, passed == waiting.count else { return false }
        carrier.send(.look, id: worker)
        return true
    }

    /// Bytes came from the worker.
    public func received(_ bytes: UnsafeRawBufferPointer) {
        guard !isClosed else { return }
        untold += bytes.count
        if RelayWindow.isWorthTelling(untold, of: RelayWindow.connection) {
            carrier.send(.relayAck, id: worker) { $0.append(integer: UInt64(untold)) }
            untold = 0
        }
        inbound.append(bytes)
        do {
            try inbound.frames { header, body in
                guard !isClosed else { return }
                try onFrame(header, body)
            }
        } catch {
            closed(because: "\(error)")
        }
    }

    /// The worker has closed its connection.
    public func ended() { closed(because: nil) }

    public override func tearDown() {
        waiting = []
        passed = 0
    }
}
