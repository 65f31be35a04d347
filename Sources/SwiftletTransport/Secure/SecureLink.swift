// SPDX-License-Identifier: BSD-3-Clause
import CSwiftlet
import Glibc
public import SwiftletWire

/// A link over an authenticated connection. It carries no descriptors. It may be made before its connection has come: what is
/// sent waits until then.
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

    /// A link whose connection will come by `attach`.
    public override init(loop: EventLoop) { super.init(loop: loop) }

    /// Whether the connection has come.
    public var isAttached: Bool { descriptor >= 0 }

    /// Takes over a connected socket on which the handshake is done.
    public func attach(_ connection: AuthenticatedSocket) {
        guard !isClosed, descriptor < 0 else { return closeDescriptor(connection.descriptor) }
        descriptor = connection.descriptor
        reader = RecordReader(key: connection.keys.receiving)
        writer = RecordWriter(key: connection.keys.sending)
        _ = sl_set_nonblocking(descriptor)
        token = loop.register(descriptor, for: .read, handler: self)
        send()
    }

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
            var none: Int32 = 0
            let count = chunk.withUnsafeMutableBytes { sl_receive(descriptor, $0.baseAddress!, $0.count, nil, 0, &none) }
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
            let count = sending.withUnsafeBytes { sl_send(descriptor, $0.baseAddress! + sent, $0.count - sent, nil, 0) }
            if count < 0 {
                if errno == EAGAIN { return waitForWriting(true) }
                return loop.afterThisTurn { [weak self] in self?.peerIsGone() }
            }
            sent += count
        }
        guard !isClosed else { return }
        waitForWriting(false)
        onDrained?()
    }

    /// Makes records of what is to be sent, some at a time; false where there is nothing.
    private func sealMore() -> Bool {
        if sealedUpTo == open.count {
            guard !outgoing.isEmpty else { return false }
            open.removeAll(keepingCapacity: open.capacity <= 1 << 20)
            swap(&open, &outgoing)
            sealedUpTo = 0
        }
        sending.removeAll(keepingCapacity: true)
        sent = 0
        while sealedUpTo < open.count && sending.count < 1 << 20 {
            let end = min(open.count, sealedUpTo + Record.largest)
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
