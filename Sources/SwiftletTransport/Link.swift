// SPDX-License-Identifier: BSD-3-Clause
import CSwiftlet
public import SwiftletWire

/// One end of a conversation in frames. Frames are appended to `outgoing` and leave together at the end of the loop's turn.
/// Subclasses say by what way: a socket, or memory within one process. A plain one keeps what is sent until another continues it.
open class Link {
    /// Called for each frame; the body is valid during the call only. An error closes the link with its text as reason.
    public var onFrame: (FrameHeader, UnsafeRawBufferPointer) throws -> Void = { _, _ in }
    /// Called once when the other end is gone; the text says why where it was not a plain end of file.
    public var onClose: (String?) -> Void = { _ in }

    /// Called when everything that was sent has been taken by the other end (or the system), where it had been waiting or not.
    public var onDrained: (() -> Void)?

    /// Bytes that are to leave with this turn. Whoever appends calls `send()`.
    public final var outgoing: [UInt8] = []
    public final private(set) var isClosed = false

    let loop: EventLoop
    private var flushIsScheduled = false

    public init(loop: EventLoop) { self.loop = loop }

    /// Lets what was appended to `outgoing` leave at the end of this turn.
    public final func send() {
        guard !flushIsScheduled, !isClosed else { return }
        flushIsScheduled = true
        loop.afterThisTurn { [weak self] in
            guard let self else { return }
            flushIsScheduled = false
            if !isClosed { flush() }
        }
    }

    /// Appends a frame and sends it.
    public final func send(_ type: FrameType, id: UInt64, flags: UInt8 = 0, body: (inout [UInt8]) -> Void = { _ in }) {
        guard !isClosed else { return }
        outgoing.append(frame: type, id: id, flags: flags, body: body)
        send()
    }

    /// The same with descriptors, which are closed when they have left.
    open func send(
        _ type: FrameType, id: UInt64, flags: UInt8 = 0, descriptors: [Int32], body: (inout [UInt8]) -> Void
    ) {
        fatalError("this kind of link carries no descriptors")
    }

    /// Writes what can be written now.
    open func flush() {}

    /// Bytes the other end has not taken yet.
    open var unsentBytes: Int { outgoing.count }

    /// Whether `send(…descriptors:)` may be called.
    open var carriesDescriptors: Bool { false }

    /// Reads until nothing is there, so that what the other end said before it ended is heard.
    open func receiveEverything() {}

    /// Descriptors that came with the frame at hand; it must be asked for as many as its type says.
    open func takeDescriptors(_ count: Int) throws -> [Int32] { throw WireError("no descriptors come by this kind of link") }

    /// Ends the conversation; `onClose` is not called.
    public final func close() {
        guard !isClosed else { return }
        isClosed = true
        outgoing = []
        tearDown()
    }

    /// Another one goes on with the conversation, of which nothing has left this one.
    public final func isContinued(by other: Link) {
        guard !isClosed else { return other.close() }
        (other.onFrame, other.onClose, other.onDrained) = (onFrame, onClose, onDrained)
        other.outgoing.append(contentsOf: outgoing)
        other.send()
        close()
    }

    final func closed(because reason: String?) {
        guard !isClosed else { return }
        close()
        onClose(reason)
    }

    /// Frees what the subclass holds.
    open func tearDown() {}
}
