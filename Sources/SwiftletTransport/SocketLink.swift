// SPDX-License-Identifier: BSD-3-Clause
import CSwiftlet
import Glibc
public import SwiftletWire

/// A link over a Unix stream socket that also carries descriptors.
public final class SocketLink: Link, EventHandler {
    private let descriptor: Int32
    private var token: UInt64 = 0
    private var inbound = InboundBuffer()
    private var received: [Int32] = []

    /// What is being written: taken from `outgoing` as a whole, so that appending never moves it.
    private var sending: [UInt8] = []
    private var sent = 0
    /// Where in the stream of sent bytes descriptors go along, as counts of bytes from the link's start.
    private var attachments: [(position: UInt64, descriptors: [Int32])] = []
    private var streamPosition: UInt64 = 0
    private var waitsForWriting = false

    /// Where the other end also leaves frames, and what was taken from it.
    private var board: Board?
    private var pinned: InboundBuffer?
    /// Bytes of frames handled that came over the socket, but for nudges.
    private var heard: UInt64 = 0

    /// Takes over a connected socket.
    public init(descriptor: Int32, loop: EventLoop) {
        self.descriptor = descriptor
        super.init(loop: loop)
        _ = sl_set_nonblocking(descriptor)
        token = loop.register(descriptor, for: .read, handler: self)
    }

    public override var unsentBytes: Int { outgoing.count + sending.count - sent }

    public override func send(
        _ type: FrameType, id: UInt64, flags: UInt8 = 0, descriptors: [Int32], body: (inout [UInt8]) -> Void
    ) {
        guard !isClosed else {
            for descriptor in descriptors { closeDescriptor(descriptor) }
            return
        }
        attachments.append((streamPosition + UInt64(sending.count - sent + outgoing.count), descriptors))
        send(type, id: id, flags: flags, body: body)
    }

    public override func takeDescriptors(_ count: Int) throws -> [Int32] { try received.takeDescriptors(count) }

    public func ready(_ readiness: Readiness) {
        if readiness.contains(.write) { flush() }
        if readiness.contains(.read) || readiness.contains(.hangup) { receive(atMost: 1 << 20) }
    }

    public override var carriesDescriptors: Bool { true }

    /// From now on the other end may pin frames to `board` while the loop looks.
    public func attach(_ board: Board) {
        guard self.board == nil, !isClosed else { return }
        self.board = board
        pinned = InboundBuffer()
        board.told = streamPosition
        loop.watch(self)
    }

    /// The loop looks at the board before it waits.
    func setLooking(_ looks: Bool) { board?.isLookedAt = looks }

    /// Whether frames are pinned that have not been handled.
    var boardHasNews: Bool { board?.hasNews ?? false }

    /// Handles what is pinned; whether that was anything.
    @discardableResult
    func lookAtBoard() -> Bool {
        guard !isClosed, let board, let pinned, board.hasNews else { return false }
        do {
            try board.take(into: pinned)
            try pinned.frames { header, body in
                guard !isClosed else { return }
                try onFrame(header, body)
            }
            guard pinned.isEmpty else { throw WireError("a frame on the worker's board is not whole") }
        } catch {
            closed(because: "\(error)")
        }
        return true
    }

    public override func receiveEverything() { receive(atMost: .max) }

    private func receive(atMost limit: Int) {
        var total = 0
        while !isClosed && total < limit {
            let space = inbound.space()
            let count = receiveBytes(descriptor, into: space, &received)
            let failure = errno
            // What is pinned was said before what came by the socket, if that did not bring it already.
            lookAtBoard()
            guard !isClosed else { return }
            if count < 0 {
                if failure != EAGAIN { closed(because: failure == ECONNRESET ? nil : String(cString: strerror(failure))) }
                return
            }
            if count == 0 { return closed(because: nil) }
            total += count
            inbound.filled(count)
            do {
                try inbound.frames { header, body in
                    guard !isClosed, header.type != FrameType.nudge.rawValue else { return }
                    heard += UInt64(FrameHeader.size + body.count)
                    try onFrame(header, body)
                }
            } catch {
                return closed(because: "\(error)")
            }
            board?.heard = heard
            // Else there may be more, though this was less than there was room for: a read ends behind a frame with descriptors.
            if count < space.count && limit < .max { return }
        }
    }

    public override func flush() {
        while !isClosed {
            if sent == sending.count {
                guard !outgoing.isEmpty else { break }
                sending.removeAll(keepingCapacity: sending.capacity <= 1 << 20)
                swap(&sending, &outgoing)
                sent = 0
            }
            guard writeSome() else { return }
        }
        guard !isClosed else { return }
        waitForWriting(false)
        onDrained?()
    }

    /// Writes once, up to the next frame with descriptors; false when the socket takes no more or is gone.
    private func writeSome() -> Bool {
        var end = sending.count
        var descriptors: [Int32] = []
        if let next = attachments.first {
            let offset = sent + Int(next.position - streamPosition)
            if offset == sent {
                descriptors = next.descriptors
                if attachments.count > 1 { end = min(end, sent + Int(attachments[1].position - streamPosition)) }
            } else {
                end = min(end, offset)
            }
        }
        let count = sending.withUnsafeBytes { bytes in
            sl_send(descriptor, bytes.baseAddress! + sent, end - sent, descriptors, Int32(descriptors.count))
        }
        if count < 0 {
            if errno == EAGAIN { waitForWriting(true) } else { loop.afterThisTurn { [weak self] in self?.peerIsGone() } }
            return false
        }
        if !descriptors.isEmpty {
            attachments.removeFirst()
            for descriptor in descriptors { closeDescriptor(descriptor) }
        }
        sent += count
        streamPosition += UInt64(count)
        board?.told = streamPosition
        return true
    }

    /// Writing failed: hear what there still is to hear, then close.
    private func peerIsGone() {
        receiveEverything()
        closed(because: nil)
    }

    private func waitForWriting(_ wait: Bool) {
        guard wait != waitsForWriting else { return }
        waitsForWriting = wait
        loop.change(token, to: wait ? [.read, .write] : .read)
    }

    public override func tearDown() {
        loop.unregister(token)
        if board != nil { loop.unwatch(self) }
        board = nil
        closeDescriptor(descriptor)
        for descriptor in received { closeDescriptor(descriptor) }
        for attachment in attachments { attachment.descriptors.forEach { closeDescriptor($0) } }
        attachments = []
        received = []
        sending = []
        sent = 0
    }
}
