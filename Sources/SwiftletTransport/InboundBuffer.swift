// SPDX-License-Identifier: BSD-3-Clause
import SwiftletWire

/// Collects bytes and hands out complete frames. It grows with the bytes that arrive, never by what a frame claims.
final class InboundBuffer {
    private var storage = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 16, alignment: 16)
    private var start = 0
    private var end = 0

    deinit { storage.deallocate() }

    /// Room for the next read: at least 16 KiB.
    func space() -> UnsafeMutableRawBufferPointer {
        if start == end { (start, end) = (0, 0) }
        if storage.count - end < 1 << 14 { makeRoom() }
        return UnsafeMutableRawBufferPointer(rebasing: storage[end...])
    }

    func filled(_ count: Int) { end += count }

    /// Every byte was part of a frame that has been handed out.
    var isEmpty: Bool { start == end }

    /// Adds bytes that came by another way than `space()`.
    func append(_ bytes: UnsafeRawBufferPointer) {
        var rest = bytes
        while !rest.isEmpty {
            let room = space()
            let count = min(room.count, rest.count)
            room.copyMemory(from: UnsafeRawBufferPointer(rebasing: rest[..<count]))
            filled(count)
            rest = UnsafeRawBufferPointer(rebasing: rest[count...])
        }
    }

    /// Calls `handle` for each frame that is complete.
    func frames(_ handle: (FrameHeader, UnsafeRawBufferPointer) throws -> Void) throws {
        while end - start >= FrameHeader.size {
            let header = FrameHeader(UnsafeRawBufferPointer(rebasing: storage[start..<end]))
            let frameEnd = start + FrameHeader.size + header.length
            guard frameEnd <= end else { return }
            let body = UnsafeRawBufferPointer(rebasing: storage[start + FrameHeader.size..<frameEnd])
            start = frameEnd
            try handle(header, body)
        }
    }

    private func makeRoom() {
        let used = end - start
        if used <= storage.count / 2, start > 0 {
            storage.baseAddress!.copyMemory(from: storage.baseAddress! + start, byteCount: used)
        } else {
            let larger = UnsafeMutableRawBufferPointer.allocate(byteCount: max(1 << 16, used * 2 + (1 << 14)), alignment: 16)
            larger.copyMemory(from: UnsafeRawBufferPointer(rebasing: storage[start..<end]))
            storage.deallocate()
            storage = larger
        }
        (start, end) = (0, used)
    }
}
