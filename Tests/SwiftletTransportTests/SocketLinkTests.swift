// SPDX-License-Identifier: BSD-3-Clause
import Glibc
import SwiftletTransport
import SwiftletWire
import Testing

/// Two links over one socket pair, on one loop.
private struct Pair {
    let loop = EventLoop()
    let left: SocketLink
    let right: SocketLink

    init() throws {
        let (ours, theirs) = try makeSocketPair()
        left = SocketLink(descriptor: ours, loop: loop)
        right = SocketLink(descriptor: theirs, loop: loop)
    }
}

@Suite struct SocketLinkTests {
    @Test func framesArriveWholeAndInOrder() throws {
        let pair = try Pair()
        var received: [(UInt64, Int)] = []
        pair.right.onFrame = { header, body in
            received.append((header.id, body.count))
            if header.id == 3 { pair.loop.stop() }
        }
        let large = [UInt8](repeating: 7, count: 5_000_000)  // more than any socket takes at once
        pair.left.send(.blob, id: 1) { $0.append(contentsOf: large) }
        pair.left.send(.blob, id: 2)
        pair.left.send(.blob, id: 3) { $0.append(9) }
        pair.loop.run()
        #expect(received.map(\.0) == [1, 2, 3])
        #expect(received.map(\.1) == [5_000_000, 0, 1])
        #expect(pair.left.unsentBytes == 0)
    }

    @Test func descriptorsComeWithTheirFrames() throws {
        let pair = try Pair()
        var texts: [String] = []
        pair.right.onFrame = { header, _ in
            guard header.type == FrameType.segment.rawValue else { return }
            let descriptor = try pair.right.takeDescriptors(1)[0]
            var bytes = [UInt8](repeating: 0, count: 8)
            let count = read(descriptor, &bytes, 8)
            texts.append(String(decoding: bytes.prefix(max(0, count)), as: UTF8.self))
            closeDescriptor(descriptor)
            if texts.count == 3 { pair.loop.stop() }
        }
        for text in ["one", "two", "three"] {
            let (reading, writing) = try makePipe()
            _ = text.withCString { write(writing, $0, strlen($0)) }
            closeDescriptor(writing)
            pair.left.send(.blob, id: 1) { $0.append(contentsOf: [1, 2, 3]) }
            pair.left.send(.segment, id: 2, descriptors: [reading]) { $0.append(integer: UInt64(8)) }
        }
        pair.loop.run()
        #expect(texts == ["one", "two", "three"])
    }

    @Test func aFrameWithoutItsDescriptorEndsTheConversation() throws {
        let pair = try Pair()
        var reason: String?
        pair.right.onFrame = { _, _ in _ = try pair.right.takeDescriptors(1) }
        pair.right.onClose = {
            reason = $0
            pair.loop.stop()
        }
        pair.left.send(.segment, id: 1)
        pair.loop.run()
        #expect(reason == "a frame came without its descriptors")
    }

    @Test func whatWasSaidBeforeTheEndIsHeard() throws {
        let pair = try Pair()
        var received = 0
        pair.right.onFrame = { _, _ in received += 1 }
        pair.right.onClose = { _ in pair.loop.stop() }
        for id in 0..<1000 { pair.left.send(.blob, id: UInt64(id)) }
        pair.left.flush()
        pair.left.close()
        pair.loop.run()
        #expect(received == 1000)
    }

    /// The system ends a read at each frame that came with descriptors, however much lies behind it.
    @Test func everythingIsHeardAlsoBehindDescriptors() throws {
        let pair = try Pair()
        var received: [UInt64] = []
        pair.right.onFrame = { header, _ in
            received.append(header.id)
            guard header.type == FrameType.segment.rawValue else { return }
            closeDescriptor(try pair.right.takeDescriptors(1)[0])
        }
        for id: UInt64 in [1, 3, 5] {
            pair.left.send(.segment, id: id, descriptors: [open("/dev/null", O_RDONLY)]) { $0.append(integer: UInt64(0)) }
            pair.left.send(.result, id: id + 1)
        }
        pair.left.flush()
        pair.left.close()
        pair.right.receiveEverything()
        #expect(received == [1, 2, 3, 4, 5, 6])
    }
}
