// SPDX-License-Identifier: BSD-3-Clause
import CSwiftlet
import Glibc
public import SwiftletWire
import Synchronization

/// A link within one process: the engine runs on a thread of its own, the client on any.
public final class MemoryLink: Link, EventHandler {
    /// The client's end; for any thread.
    public final class ClientEnd: Sendable {
        private let waiting = Mutex<[UInt8]>([])
        fileprivate let wakeup = sl_wakeup_create()

        public init() {}
        deinit { closeDescriptor(wakeup) }

        /// Appends frames for the engine; it reads them on its own thread.
        public func send(_ frames: (inout [UInt8]) -> Void) {
            let wasEmpty = waiting.withLock { bytes in
                defer { frames(&bytes) }
                return bytes.isEmpty
            }
            if wasEmpty { sl_wakeup_signal(wakeup) }
        }

        fileprivate func take() -> [UInt8] {
            waiting.withLock { bytes in
                defer { bytes = [] }
                return bytes
            }
        }
    }

    private let clientEnd: ClientEnd
    private let deliver: ([UInt8]) -> Void
    private var token: UInt64 = 0

    /// - Parameter deliver: called on the loop's thread with whole frames for the client.
    public init(clientEnd: ClientEnd, loop: EventLoop, deliver: @escaping ([UInt8]) -> Void) {
        self.clientEnd = clientEnd
        self.deliver = deliver
        super.init(loop: loop)
        token = loop.register(clientEnd.wakeup, for: .read, handler: self)
    }

    public func ready(_ readiness: Readiness) {
        sl_wakeup_clear(clientEnd.wakeup)
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
