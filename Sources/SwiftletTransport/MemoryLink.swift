// SPDX-License-Identifier: BSD-3-Clause
import CSwiftlet
import Glibc
public import SwiftletWire
import Synchronization

/// A link within one process: the engine has a thread of its own, the client is on any.
public final class MemoryLink: Link, EventHandler {
    /// How soon the engine is to read what it is sent.
    public enum Urgency: Sendable {
        /// With what is sent next, or when a little of that kind has gathered.
        case none
        case normal
        /// Before `send` returns and on the caller's thread, where the engine's own waits. What it has to say it says there.
        case byCaller
    }

    /// The client's end; for any thread.
    public final class ClientEnd: Sendable {
        private struct Waiting {
            var bytes: [UInt8] = []
            /// The engine has been told of them, or is being told.
            var isAnnounced = false
        }

        /// What may gather unannounced.
        private static let unannouncedLimit = 1024

        private let waiting = Mutex(Waiting())
        fileprivate let wakeup = sl_wakeup_create()
        /// The gate of the loop that the engine runs in.
        public let gate = TurnGate()

        public init() {}
        deinit { closeDescriptor(wakeup) }

        /// Appends frames for the engine.
        public func send(_ urgency: Urgency = .normal, _ frames: (inout [UInt8]) -> Void) {
            let isNews = waiting.withLock { waiting in
                frames(&waiting.bytes)
                if waiting.isAnnounced || urgency == .none && waiting.bytes.count < Self.unannouncedLimit { return false }
                waiting.isAnnounced = true
                return true
            }
            guard isNews else { return }
            if urgency == .byCaller, let looksAgain = gate.visitIfFree(), !looksAgain { return }
            sl_wakeup_signal(wakeup)
        }

        fileprivate func take() -> [UInt8] {
            waiting.withLock { waiting in
                let bytes = waiting.bytes
                waiting = Waiting()
                return bytes
            }
        }
    }

    private let clientEnd: ClientEnd
    private let deliver: ([UInt8]) -> Void
    private var token: UInt64 = 0

    /// - Parameter deliver: called in a turn of the loop with whole frames for the client.
    public init(clientEnd: ClientEnd, loop: EventLoop, deliver: @escaping ([UInt8]) -> Void) {
        self.clientEnd = clientEnd
        self.deliver = deliver
        super.init(loop: loop)
        token = loop.register(clientEnd.wakeup, for: .read, handler: self)
        loop.visit = { [weak self] in self?.readWaiting() }
    }

    public func ready(_ readiness: Readiness) {
        sl_wakeup_clear(clientEnd.wakeup)
        readWaiting()
    }

    private func readWaiting() {
        let bytes = clientEnd.take()
        do {
            try bytes.withUnsafeBytes { try forEachFrame(in: $0) { if !isClosed { try onFrame($0, $1) } } }
        } catch {
            closed(because: "\(error)")
        }
    }

    public override func flush() {
        let bytes = outgoing
        outgoing = []
        if !bytes.isEmpty { deliver(bytes) }
        onDrained?()
    }

    public override func tearDown() { loop.unregister(token) }
}

/// Calls `handle` for each frame in bytes that hold whole frames only.
public func forEachFrame(
    in bytes: UnsafeRawBufferPointer, _ handle: (FrameHeader, UnsafeRawBufferPointer) throws -> Void
) throws {
    var rest = bytes[...]
    while rest.count >= FrameHeader.size {
        let header = FrameHeader(UnsafeRawBufferPointer(rebasing: rest))
        let end = rest.startIndex + FrameHeader.size + header.length
        guard end <= rest.endIndex else { throw WireError("a frame ends within its body") }
        try handle(header, UnsafeRawBufferPointer(rebasing: rest[(rest.startIndex + FrameHeader.size)..<end]))
        rest = rest[end...]
    }
}
