// SPDX-License-Identifier: BSD-3-Clause
import Glibc
public import SwiftletWire

/// Frames over a socket for a process that has nothing else to wait for: a worker.
public final class BlockingChannel {
    private let descriptor: Int32
    private let inbound = InboundBuffer()
    private var waiting: [(FrameHeader, [UInt8])] = []

    public init(descriptor: Int32) { self.descriptor = descriptor }

    /// The next frame; nil at the end of the conversation. Waits for it where `wait` is set, else nil where there is none.
    public func next(wait: Bool = true) throws -> (header: FrameHeader, body: [UInt8])? {
        while waiting.isEmpty {
            let space = inbound.space()
            let count = recv(descriptor, space.baseAddress, space.count, wait ? 0 : Int32(MSG_DONTWAIT))
            if count < 0 && errno == EINTR { continue }
            guard count > 0 else { return nil }
            inbound.filled(count)
            try inbound.frames { waiting.append(($0, Array($1))) }
        }
        let frame = waiting.removeFirst()
        return (frame.0, frame.1)
    }

    /// Writes frames; false where the other end is gone.
    @discardableResult
    public func send(_ frames: (inout [UInt8]) -> Void) -> Bool {
        var bytes: [UInt8] = []
        frames(&bytes)
        var sent = 0
        while sent < bytes.count {
            let count = bytes.withUnsafeBytes {
                Glibc.send(descriptor, $0.baseAddress! + sent, $0.count - sent, Int32(MSG_NOSIGNAL))
            }
            if count < 0 && errno == EINTR { continue }
            guard count > 0 else { return false }
            sent += count
        }
        return true
    }
}
