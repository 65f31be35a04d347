// SPDX-License-Identifier: BSD-3-Clause
import Glibc
import SwiftletTransport
import SwiftletWire
import Testing

@testable import SwiftletEngine

/// A peer whose frames are counted by type.
private final class Listener {
    let peer: Peer
    private(set) var types: [FrameType] = []

    init(origin: UInt32, loop: EventLoop) throws {
        let (ours, theirs) = try makeSocketPair()
        peer = Peer(origin: origin, link: SocketLink(descriptor: ours, loop: loop))
        other = SocketLink(descriptor: theirs, loop: loop)
        other.onFrame = { [unowned self] header, _ in
            let type = FrameType(rawValue: header.type)!
            if type == .segment { (try other.takeDescriptors(1)).forEach(closeDescriptor) }
            types.append(type)
        }
    }

    private let other: SocketLink

    /// Lets everything that was sent arrive.
    func hear() {
        peer.link.flush()
        other.receiveEverything()
    }
}

@Suite struct SegmentTableTests {
    private let loop = EventLoop()
    private let id: UInt64 = 1 << 32 | 1

    private func part(_ length: UInt64 = 100) -> Payload.SegmentPart {
        var reader: [Payload.SegmentPart] = []
        var bytes: [UInt8] = []
        bytes.append(integer: UInt16(1))
        bytes.append(1)
        bytes.append(integer: id)
        bytes.append(integer: UInt64(0))
        bytes.append(integer: length)
        bytes.withUnsafeBytes { raw in
            var source = ByteReader(raw)
            try? Payload.scan(&source) { reader.append($0) }
        }
        return reader[0]
    }

    private func descriptor() -> Int32 { open("/dev/null", O_RDONLY | O_CLOEXEC) }

    @Test func aSegmentIsReusedWhenNobodyHoldsAPart() throws {
        let (client, worker) = (try Listener(origin: 1, loop: loop), try Listener(origin: 2, loop: loop))
        let peers = [1: client.peer, 2: worker.peer] as [UInt32: Peer]
        var table = SegmentTable()
        try table.announce(id, descriptor: descriptor(), size: 4096, inMemory: true, by: client.peer)
        table.take(part())
        #expect(table.memoryBytes == 100)
        table.deliver(part(), to: worker.peer)
        table.deliver(part(), to: worker.peer)
        table.drop(part(), peers: peers)
        table.seal(id, peers: peers)
        table.free(id, count: 1, by: worker.peer, peers: peers)
        client.hear()
        #expect(client.types == [])
        table.free(id, count: 1, by: worker.peer, peers: peers)
        client.hear()
        worker.hear()
        #expect(client.types == [.reuse])
        #expect(worker.types == [.segment, .retire])
        #expect(table.count == 0)
        #expect(table.memoryBytes == 0)
    }

    @Test func aPeerThatIsGoneHoldsNothing() throws {
        let (client, worker) = (try Listener(origin: 1, loop: loop), try Listener(origin: 2, loop: loop))
        var table = SegmentTable()
        try table.announce(id, descriptor: descriptor(), size: 4096, inMemory: true, by: client.peer)
        table.take(part())
        table.deliver(part(), to: worker.peer)
        table.drop(part(), peers: [1: client.peer, 2: worker.peer])
        table.seal(id, peers: [1: client.peer, 2: worker.peer])
        table.peerIsGone(2, peers: [1: client.peer])
        #expect(table.count == 0)
    }

    @Test func aSegmentOutlivesItsProducer() throws {
        let (client, worker) = (try Listener(origin: 1, loop: loop), try Listener(origin: 2, loop: loop))
        var table = SegmentTable()
        try table.announce(id, descriptor: descriptor(), size: 4096, inMemory: false, by: client.peer)
        table.take(part())
        #expect(table.memoryBytes == 0)
        table.deliver(part(), to: worker.peer)
        table.peerIsGone(1, peers: [2: worker.peer])
        #expect(table.count == 1)
        table.free(id, count: 1, by: worker.peer, peers: [2: worker.peer])
        table.drop(part(), peers: [2: worker.peer])
        #expect(table.count == 0)
    }

    @Test func onlyItsProducerAnnouncesASegment() throws {
        let worker = try Listener(origin: 2, loop: loop)
        var table = SegmentTable()
        #expect(throws: WireError.self) {
            try table.announce(id, descriptor: descriptor(), size: 1, inMemory: true, by: worker.peer)
        }
    }
}
