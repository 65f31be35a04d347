// SPDX-License-Identifier: BSD-3-Clause
import SwiftletTransport
import SwiftletWire
import Testing

/// A relayed link over a socket pair: the test is the agent at the other end.
private final class Relay {
    let loop = EventLoop()
    let engine: SocketLink
    let agent: SocketLink
    let link: RelayLink
    /// What the agent got, as (type, bytes).
    var arrived: [(FrameType, Int)] = []
    var stop: () -> Bool = { false }

    init() throws {
        let (ours, theirs) = try makeSocketPair()
        engine = SocketLink(descriptor: ours, loop: loop)
        agent = SocketLink(descriptor: theirs, loop: loop)
        link = RelayLink(worker: 7, carrier: engine, loop: loop)
        agent.onFrame = { [unowned self] header, body in
            #expect(header.id == 7)
            arrived.append((try #require(FrameType(rawValue: header.type)), body.count))
            if stop() { loop.stop() }
        }
    }

    func relayed(_ type: FrameType) -> Int { arrived.filter { $0.0 == type }.reduce(0) { $0 + $1.1 } }
}

@Suite struct RelayLinkTests {
    @Test func noMoreThanAWindowIsOnItsWay() throws {
        let relay = try Relay()
        let size = 3 * RelayWindow.connection
        relay.link.send(.blob, id: 1) { $0.append(contentsOf: [UInt8](repeating: 1, count: size)) }
        relay.stop = { relay.relayed(.relay) >= RelayWindow.connection }
        relay.loop.run()
        #expect(relay.relayed(.relay) == RelayWindow.connection)
        #expect(relay.arrived.allSatisfy { $0.1 <= RelayWindow.piece })
        #expect(relay.link.unsentBytes == size + FrameHeader.size)

        var drained = false
        relay.link.onDrained = { drained = true }
        relay.link.acknowledged(RelayWindow.connection)
        relay.link.acknowledged(RelayWindow.connection)
        relay.link.acknowledged(RelayWindow.connection)
        relay.stop = { relay.relayed(.relay) == size + FrameHeader.size }
        relay.loop.run()
        #expect(drained)
    }

    @Test func aLookFollowsAllThatWasSentOrIsNotAskedFor() throws {
        let relay = try Relay()
        relay.link.send(.recall, id: 1)
        #expect(relay.link.look())
        relay.stop = { relay.arrived.count == 2 }
        relay.loop.run()
        #expect(relay.arrived.map(\.0) == [.relay, .look])

        relay.link.send(.blob, id: 1) { $0.append(contentsOf: [UInt8](repeating: 1, count: RelayWindow.connection)) }
        #expect(!relay.link.look(), "its end waits for the window")
    }

    @Test func whatCameIsAcknowledgedInLargePieces() throws {
        let relay = try Relay()
        var frames: [Int] = []
        relay.link.onFrame = { header, body in frames.append(body.count) }
        var bytes: [UInt8] = []
        bytes.append(frame: .result, id: 1) { $0.append(contentsOf: [UInt8](repeating: 2, count: RelayWindow.connection / 4)) }
        bytes.append(frame: .ready, id: 2)
        for piece in [bytes[..<1000], bytes[1000...]] {
            Array(piece).withUnsafeBytes { relay.link.received($0) }
        }
        #expect(frames == [RelayWindow.connection / 4, 0])
        relay.stop = { !relay.arrived.isEmpty }
        relay.loop.run()
        #expect(relay.arrived.map(\.0) == [.relayAck])
    }

    @Test func aPlainLinkKeepsWhatIsSentUntilAnotherContinuesIt() throws {
        let relay = try Relay()
        let first = Link(loop: relay.loop)
        var frames: [UInt64] = [], ends = 0
        first.onFrame = { header, _ in frames.append(header.id) }
        first.onClose = { _ in ends += 1 }
        first.send(.blob, id: 1) { $0.append(contentsOf: [1, 2, 3]) }
        relay.loop.afterThisTurn { relay.loop.stop() }
        relay.loop.run()
        #expect(first.unsentBytes == FrameHeader.size + 3)

        first.isContinued(by: relay.link)
        #expect(first.isClosed)
        relay.link.send(.recall, id: 2)
        relay.stop = { relay.relayed(.relay) == 2 * FrameHeader.size + 3 }
        relay.loop.run()
        var answer: [UInt8] = []
        answer.append(frame: .ready, id: 5)
        answer.withUnsafeBytes { relay.link.received($0) }
        relay.link.ended()
        #expect(frames == [5])
        #expect(ends == 1)
    }

    @Test func whoWasClosedBeforeIsContinuedByNobody() throws {
        let relay = try Relay()
        let first = Link(loop: relay.loop)
        first.close()
        first.isContinued(by: relay.link)
        #expect(relay.link.isClosed)
    }

    @Test func theEndOfTheWorkersConnectionIsTheEnd() throws {
        let relay = try Relay()
        var ends: [String?] = []
        relay.link.onClose = { ends.append($0) }
        relay.link.ended()
        relay.link.ended()
        #expect(ends == [nil])
        #expect(!relay.engine.isClosed)
    }

    @Test func nonsenseFromAWorkerEndsItsLinkOnly() throws {
        let relay = try Relay()
        var reason: String?
        relay.link.onFrame = { header, _ in throw WireError("type \(header.type)") }
        relay.link.onClose = { reason = $0 }
        [UInt8](repeating: 0, count: 16).withUnsafeBytes { relay.link.received($0) }
        #expect(reason == "type 0")
        #expect(!relay.engine.isClosed)
    }
}
