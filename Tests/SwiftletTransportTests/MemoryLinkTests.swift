// SPDX-License-Identifier: BSD-3-Clause
import Glibc
import SwiftletTransport
import SwiftletWire
import Synchronization
import Testing

/// A loop on a thread of its own that answers each frame with one of the same number.
private final class Answering: Sendable {
    struct Heard: Sendable {
        let id: UInt64
        let thread: pthread_t
    }

    let end = MemoryLink.ClientEnd()
    let heard = Mutex<[Heard]>([])
    let answers: AsyncStream<UInt64>

    /// - Parameter delay: nanoseconds until the answer.
    init(delay: UInt64? = nil) {
        let (answers, answered) = AsyncStream<UInt64>.makeStream()
        self.answers = answers
        startThread { [self] in
            let loop = EventLoop(gate: end.gate)
            let link = MemoryLink(clientEnd: end, loop: loop) { bytes in
                bytes.withUnsafeBytes { try? forEachFrame(in: $0) { header, _ in answered.yield(header.id) } }
            }
            link.onFrame = { [self, unowned loop, unowned link] header, _ in
                heard.withLock { $0.append(Heard(id: header.id, thread: pthread_self())) }
                if header.type == FrameType.goodbye.rawValue { return loop.stop() }
                guard let delay else { return link.send(.result, id: header.id) }
                loop.schedule(after: delay) { link.send(.result, id: header.id) }
            }
            loop.run()
            answered.finish()
        }
    }

    /// Sends frame `id`; whether it was read before this returned, by this thread.
    func send(_ id: UInt64, _ urgency: MemoryLink.Urgency) -> Bool {
        end.send(urgency) { $0.append(frame: .call, id: id) }
        return heard.withLock { $0.last.map { $0.id == id && pthread_equal($0.thread, pthread_self()) != 0 } ?? false }
    }
}

@Suite(.timeLimit(.minutes(1))) struct MemoryLinkTests {
    @Test func aCallerIsHeardOnItsOwnThreadWhileTheLoopWaits() async {
        let loop = Answering()
        var answers = loop.answers.makeAsyncIterator()
        var byCaller = 0
        for id: UInt64 in 1...1000 {
            if loop.send(id, .byCaller) { byCaller += 1 }
            #expect(await answers.next() == id)
        }
        #expect(byCaller > 0)
        #expect(loop.heard.withLock { $0.map(\.id) } == Array(1...1000))
        loop.end.send { $0.append(frame: .goodbye, id: 0) }
    }

    @Test func aTimerThatACallerHasSetIsKept() async {
        let loop = Answering(delay: 1_000_000)
        var answers = loop.answers.makeAsyncIterator()
        for id: UInt64 in 1...20 {
            _ = loop.send(id, .byCaller)
            #expect(await answers.next() == id)
        }
        loop.end.send { $0.append(frame: .goodbye, id: 0) }
    }

    @Test func manyCallersAreHeardOnceEach() async {
        let loop = Answering()
        await withTaskGroup(of: Void.self) { group in
            for first in 0..<4 {
                group.addTask {
                    for number in 0..<1000 { _ = loop.send(UInt64(first * 1000 + number), .byCaller) }
                }
            }
        }
        loop.end.send { $0.append(frame: .goodbye, id: 4000) }
        for await _ in loop.answers {}
        let ids = loop.heard.withLock { $0.map(\.id) }
        #expect(ids.sorted() == Array(0...4000))
        for first in 0..<4 {
            #expect(ids.filter { $0 / 1000 == first && $0 < 4000 } == (0..<1000).map { UInt64(first * 1000 + $0) })
        }
    }

    @Test func whatIsNotUrgentComesWithTheNextOrWhenItIsMuch() async {
        let loop = Answering()
        var answers = loop.answers.makeAsyncIterator()
        _ = loop.send(1, .none)
        _ = loop.send(2, .normal)
        #expect(await answers.next() == 1)
        #expect(await answers.next() == 2)
        for id: UInt64 in 3...300 { _ = loop.send(id, .none) }
        #expect(await answers.next() == 3)
        loop.end.send { $0.append(frame: .goodbye, id: 0) }
    }

    @Test func nobodyIsHeardWhenTheLoopHasEnded() async {
        let loop = Answering()
        loop.end.send(.byCaller) { $0.append(frame: .goodbye, id: 0) }
        for await _ in loop.answers {}
        #expect(!loop.send(1, .byCaller))
        #expect(loop.heard.withLock { $0.map(\.id) } == [0])
    }
}
