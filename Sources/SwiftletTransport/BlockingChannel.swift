// SPDX-License-Identifier: BSD-3-Clause
import CSwiftlet
import Glibc
public import SwiftletWire

/// Frames over a socket for a process that has nothing else to wait for: a worker.
public final class BlockingChannel {
    /// For who watches it.
    public let descriptor: Int32
    private let inbound = InboundBuffer()
    private var waiting = Fifo<(header: FrameHeader, body: [UInt8])>()
    /// Of an authenticated connection.
    private var records: (reader: RecordReader, writer: RecordWriter)?
    /// Where frames are left without a system call, and where to see whether there is anything to read.
    private var board: Board?
    /// Bytes that have gone each way over the socket; nudges do not count.
    private var sentBytes: UInt64 = 0
    private var receivedBytes: UInt64 = 0

    public init(descriptor: Int32) { self.descriptor = descriptor }

    /// Over a connection that was made with a ticket.
    public init(_ socket: AuthenticatedSocket) {
        descriptor = socket.descriptor
        records = (RecordReader(key: socket.keys.receiving), RecordWriter(key: socket.keys.sending))
    }

    /// The next frame; nil at the end of the conversation. Waits for it where `wait` is set, else nil where there is none.
    public func next(wait: Bool = true) throws -> (header: FrameHeader, body: [UInt8])? {
        while waiting.isEmpty {
            guard try receive(wait) else { return nil }
            try inbound.frames { waiting.append(($0, Array($1))) }
        }
        return waiting.next()
    }

    /// Offers a board to the other end, which may look at it from then on, or not. Of a connection that carries descriptors.
    public func offerBoard() {
        guard board == nil, let (board, descriptor) = Board.create() else { return }
        defer { closeDescriptor(descriptor) }
        var frame: [UInt8] = []
        frame.append(frame: .board, id: 0)
        let count = frame.withUnsafeBytes { sl_send(self.descriptor, $0.baseAddress!, $0.count, [descriptor], 1) }
        guard count > 0 else { return }
        sentBytes += UInt64(count)
        if count < frame.count { write(frame[count...]) }
        self.board = board
    }

    /// Takes in what is there; false where there is nothing (more).
    private func receive(_ wait: Bool) throws -> Bool {
        // What is being sent just now and not counted yet: who sends it looks at the board after it has counted it.
        if !wait, let board, board.told == receivedBytes { return false }
        if records != nil {
            return try withUnsafeTemporaryAllocation(byteCount: 1 << 16, alignment: 16) { chunk in
                let count = read(into: chunk, wait)
                guard count > 0 else { return false }
                try records!.reader.add(UnsafeRawBufferPointer(rebasing: chunk[..<count])) { inbound.append($0) }
                return true
            }
        }
        let count = read(into: inbound.space(), wait)
        inbound.filled(max(0, count))
        receivedBytes += UInt64(max(0, count))
        return count > 0
    }

    private func read(into space: UnsafeMutableRawBufferPointer, _ wait: Bool) -> Int {
        while true {
            let count = recv(descriptor, space.baseAddress, space.count, wait ? 0 : Int32(MSG_DONTWAIT))
            if count >= 0 || errno != EINTR { return count }
        }
    }

    /// Writes frames; false where the other end is gone.
    @discardableResult
    public func send(_ frames: (inout [UInt8]) -> Void) -> Bool {
        var bytes: [UInt8] = []
        frames(&bytes)
        if records != nil {
            var sealed: [UInt8] = []
            for start in stride(from: 0, to: bytes.count, by: Record.largest) {
                records!.writer.seal(bytes[start..<min(start + Record.largest, bytes.count)], into: &sealed)
            }
            bytes = sealed
        }
        if let board, board.pin(bytes, after: sentBytes) {
            // The engine may have gone to wait meanwhile.
            return board.isLookedAt || nudge()
        }
        sentBytes += UInt64(bytes.count)
        return write(bytes[...])
    }

    private func nudge() -> Bool {
        var frame: [UInt8] = []
        frame.append(frame: .nudge, id: 0)
        return write(frame[...])
    }

    @discardableResult
    private func write(_ bytes: ArraySlice<UInt8>) -> Bool {
        var rest = bytes
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { Glibc.send(descriptor, $0.baseAddress!, $0.count, Int32(MSG_NOSIGNAL)) }
            if count < 0 && errno == EINTR { continue }
            guard count > 0 else { return false }
            rest = rest.dropFirst(count)
        }
        return true
    }
}
