// SPDX-License-Identifier: BSD-3-Clause
import CSwiftlet
import Glibc
public import SwiftletWire

/// A link over an authenticated connection. It carries descriptors where that is one within a host: a Unix socket. It may be made
/// before its connection has come: what is sent waits until then.
public final class SecureLink: Link, EventHandler {
    private var descriptor: Int32 = -1
    private var token: UInt64 = 0
    private var reader: RecordReader?
    private var writer: RecordWriter?
    private let inbound = InboundBuffer()

    /// Bytes that have not become records yet: taken from `outgoing` as a whole.
    private var open: [UInt8] = []
    private var sealedUpTo = 0
    private var sending: [UInt8] = []
    private var sent = 0
    private var waitsForWriting = false

    /// Where in `open` and what follows it frames with descriptors begin.
    private var attachments: [(position: Int, descriptors: [Int32])] = []
    /// Those that go with the first byte of `sending`.
    private var leaving: [Int32] = []
    private var received: [Int32] = []
    private var isWithinHost = false

    /// A link whose connection will come by `attach`.
    public override init(loop: EventLoop) { super.init(loop: loop) }

    /// Whether the connection has come, and is not closed.
    public var isAttached: Bool { descriptor >= 0 }

    /// Whether the connection has come at all: what was sent may have been read since.
    public private(set) var hasBeenAttached = false

    /// Takes over a connected socket on which the handshake is done.
    public func attach(_ connection: AuthenticatedSocket) {
        guard !isClosed, descriptor < 0 else { return closeDescriptor(connection.descriptor) }
        descriptor = connection.descriptor
        hasBeenAttached = true
        reader = RecordReader(key: connection.keys.receiving)
        writer = RecordWriter(key: connection.keys.sending)
        isWithinHost = sl_is_unix_socket(descriptor) == 1
        _ = sl_set_nonblocking(descriptor)
        token = loop.register(descriptor, for: .read, handler: self)
        send()
    }

    /// Whether its connection has come, by a Unix socket.
    public override var carriesDescriptors: Bool { isWithinHost }

    public override func send(
        _ type: FrameType, id: UInt64, flags: UInt8 = 0, descriptors: [Int32], body: (inout [UInt8]) -> Void
    ) {
        guard !isClosed else { return descriptors.forEach(closeDescriptor) }
        precondition(isWithinHost, "this connection carries no descriptors")
        attachments.append((open.count + outgoing.count, descriptors))
        send(type, id: id, flags: flags, body: body)
    }

    public override func takeDescriptors(_ count: Int) throws -> [Int32] { try received.takeDescriptors(count) }

    public override var unsentBytes: Int { outgoing.count + open.count - sealedUpTo + sending.count - sent }

    public func ready(_ readiness: Readiness) {
        if readiness.contains(.write) { flush() }
        if readiness.contains(.read) || readiness.contains(.hangup) { receive(atMost: 1 << 20) }
    }

    public override func receiveEverything() {
        if isAttached { receive(atMost: .max) }
    }

    private func receive(atMost limit: Int) {
        var total = 0
        var chunk = [UInt8](repeating: 0, count: 1 << 16)
        while !isClosed && total < limit {
            let count = chunk.withUnsafeMutableBytes { receiveBytes(descriptor, into: $0, &received) }
            if count < 0 {
                if errno != EAGAIN { closed(because: errno == ECONNRESET ? nil : systemErrorText()) }
                return
            }
            if count == 0 { return closed(because: nil) }
            total += count
            do {
                try chunk.withUnsafeBytes { bytes in
                    try reader?.add(UnsafeRawBufferPointer(rebasing: bytes[..<count])) { try arrived($0) }
                }
            } catch {
                return closed(because: "\(error)")
            }
            if count < chunk.count { return }
        }
    }

    private func arrived(_ content: UnsafeRawBufferPointer) throws {
        guard !isClosed else { return }
        inbound.append(content)
        try inbound.frames { header, body in
            guard !isClosed else { return }
            try onFrame(header, body)
        }
    }

    public override func flush() {
        guard isAttached else { return }
        while !isClosed {
            if sent == sending.count && !sealMore() { break }
            let count = sending.withUnsafeBytes {
                sl_send(descriptor, $0.baseAddress! + sent, $0.count - sent, leaving, Int32(leaving.count))
            }
            if count < 0 {
                if errno == EAGAIN { return waitForWriting(true) }
                return loop.afterThisTurn { [weak self] in self?.peerIsGone() }
            }
            sent += count
            leaving.forEach(closeDescriptor)
            leaving = []
        }
        guard !isClosed else { return }
        waitForWriting(false)
        onDrained?()
    }

    /// Makes records of what is to be sent, some at a time; false where there is nothing.
    private func sealMore() -> Bool {
        if sealedUpTo == open.count {
            guard !outgoing.isEmpty else { return false }
            for index in attachments.indices { attachments[index].position -= open.count }
            open.removeAll(keepingCapacity: open.capacity <= 1 << 20)
            swap(&open, &outgoing)
            sealedUpTo = 0
        }
        sending.removeAll(keepingCapacity: true)
        sent = 0
        // A frame with descriptors begins with them.
        if attachments.first?.position == sealedUpTo { leaving = attachments.removeFirst().descriptors }
        let limit = min(open.count, attachments.first?.position ?? .max)
        while sealedUpTo < limit && sending.count < 1 << 20 {
            let end = min(limit, sealedUpTo + Record.largest)
            writer?.seal(open[sealedUpTo..<end], into: &sending)
            sealedUpTo = end
        }
        return true
    }

    /// Writing failed: hear what there still is to hear, then close.
    private func peerIsGone() {
        receive(atMost: .max)
        closed(because: nil)
    }

    private func waitForWriting(_ wait: Bool) {
        guard wait != waitsForWriting else { return }
        waitsForWriting = wait
        loop.change(token, to: wait ? [.read, .write] : .read)
    }

    public override func tearDown() {
        open = []
        sending = []
        (sealedUpTo, sent) = (0, 0)
        (attachments.flatMap(\.descriptors) + leaving + received).forEach(closeDescriptor)
        (attachments, leaving, received) = ([], [], [])
        guard isAttached else { return }
        loop.unregister(token)
        closeDescriptor(descriptor)
        descriptor = -1
    }
}

/// A connected socket on which both ends have proved who they are.
public struct AuthenticatedSocket: Sendable {
    let descriptor: Int32
    let keys: SessionKeys

    /// Nobody wants it any more.
    public func close() { closeDescriptor(descriptor) }
}
