// SPDX-License-Identifier: BSD-3-Clause
import CSwiftlet
import Glibc
import SwiftletWire
import Testing

@testable import SwiftletTransport

/// A link whose other end is a channel with a board.
private final class Boarded {
    let loop = EventLoop()
    let link: SocketLink
    var heard: [UInt64] = []
    var onFrame: (UInt64) -> Void = { _ in }

    /// - Parameter takesBoard: called with the board's descriptor.
    init(descriptor: Int32, takesBoard: @escaping (Int32) -> Board? = { Board(descriptor: $0) }) {
        link = SocketLink(descriptor: descriptor, loop: loop)
        link.onFrame = { [unowned self] header, _ in
            guard header.type == FrameType.board.rawValue else {
                heard.append(header.id)
                return onFrame(header.id)
            }
            let descriptor = try link.takeDescriptors(1)[0]
            defer { closeDescriptor(descriptor) }
            if let board = takesBoard(descriptor) { link.attach(board) }
        }
    }
}

@Suite struct BoardTests {
    /// The loop goes to wait again and again while frames of all sizes come; were one pinned unseen or out of order, this would not end.
    @Test(.timeLimit(.minutes(2))) func nothingIsLostOrOvertaken() throws {
        let (ours, theirs) = try makeSocketPair()
        let boarded = Boarded(descriptor: ours)
        let count: UInt64 = 60_000
        var turns = 0
        boarded.loop.gathering = {
            turns += 1
            return turns % 7 < 5 ? 20_000 : 0
        }
        boarded.onFrame = { if $0 == count { boarded.loop.stop() } }
        boarded.link.onClose = { _ in boarded.loop.stop() }
        startThread {
            let channel = BlockingChannel(descriptor: theirs)
            channel.offerBoard()
            for id in 1...count {
                // Every thousandth fits on no board; some fill it quickly.
                let size = id % 1000 == 0 ? 100_000 : id % 50 == 0 ? 9000 : 30
                channel.send { frames in
                    frames.append(frame: .result, id: id) { $0.append(contentsOf: repeatElement(7, count: size)) }
                }
            }
            closeDescriptor(theirs)
        }
        boarded.loop.run()
        #expect(boarded.heard == Array(1...count))
    }

    @Test func aWorkerSeesWhatIsSentToIt() throws {
        let (ours, theirs) = try makeSocketPair()
        let boarded = Boarded(descriptor: ours)
        let channel = BlockingChannel(descriptor: theirs)
        channel.offerBoard()
        boarded.link.receiveEverything()
        #expect(try channel.next(wait: false) == nil)
        for id: UInt64 in 1...3 {
            boarded.link.send(.recall, id: id)
            boarded.link.flush()
            #expect(try channel.next(wait: false)?.header.id == id)
            #expect(try channel.next(wait: false) == nil)
        }
        closeDescriptor(theirs)
    }

    @Test func whatIsPinnedOutlivesWhoPinnedIt() throws {
        let (ours, theirs) = try makeSocketPair()
        var board: Board?
        let boarded = Boarded(descriptor: ours) {
            board = Board(descriptor: $0)
            return board
        }
        let channel = BlockingChannel(descriptor: theirs)
        boarded.loop.gathering = { 1_000_000 }
        boarded.link.onClose = { _ in boarded.loop.stop() }
        func pinWhenLookedAt() {
            guard board!.isLookedAt else {
                _ = boarded.loop.schedule(after: 0) { pinWhenLookedAt() }
                return
            }
            shutdown(theirs, Int32(SHUT_WR))  // nothing more comes by the socket
            for id: UInt64 in 2...9 { channel.send { $0.append(frame: .result, id: id) } }
            closeDescriptor(theirs)
        }
        boarded.onFrame = { if $0 == 1 { boarded.loop.schedule(after: 0) { pinWhenLookedAt() } } }
        channel.offerBoard()
        channel.send { $0.append(frame: .result, id: 1) }
        boarded.loop.run()
        #expect(boarded.heard == Array(1...9))
    }

    @Test func aDamagedBoardEndsTheConversation() throws {
        let (ours, theirs) = try makeSocketPair()
        let boarded = Boarded(descriptor: ours) { descriptor in
            let board = Board(descriptor: descriptor)
            let memory = mmap(nil, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0)
            memory!.storeBytes(of: 1 << 40, as: UInt64.self)
            munmap(memory, 4096)
            return board
        }
        var reason: String?
        boarded.link.onClose = { reason = $0 }
        BlockingChannel(descriptor: theirs).offerBoard()
        boarded.link.receiveEverything()
        boarded.link.receiveEverything()
        #expect(reason == "the worker has damaged its board")
        closeDescriptor(theirs)
    }

    @Test func memoryThatCouldShrinkIsNoBoard() {
        let file = sl_memory_file()
        defer { closeDescriptor(file) }
        ftruncate(file, 4096 + 32768)
        #expect(Board(descriptor: file) == nil)
        #expect(Board(descriptor: 0) == nil)
    }
}
