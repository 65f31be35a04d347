// SPDX-License-Identifier: BSD-3-Clause
import CSwiftlet
import Glibc
import SwiftletWire
import Testing

@testable import SwiftletTransport

/// A listener on a loop of its own; connectors work on other threads.
private final class Host {
    let loop = EventLoop()
    let listener: SecureListener
    var refusals: [String] = []
    var onRefused: () -> Void = {}

    init(patience: UInt64 = SecureListener.patience) throws {
        listener = try SecureListener(host: "127.0.0.1", loop: loop, patience: patience)
        listener.onRefused = { [unowned self] in
            refusals.append($0)
            onRefused()
        }
    }

    deinit { listener.close() }

    var port: Int32 { if case .tcp(_, let port) = listener.address { Int32(port) } else { 0 } }

    func connect() -> Int32 { connectTo(port) }
}

private let waitForAll = Int32(0x100)  // MSG_WAITALL, which Swift does not see

private func connectTo(_ port: Int32) -> Int32 { sl_connect_tcp("127.0.0.1", port, 5000) }

@Suite struct SecureListenerTests {
    @Test func framesGoBothWays() throws {
        let host = try Host()
        let engineSide = SecureLink(loop: host.loop)
        engineSide.send(.blob, id: 1) { $0.append(contentsOf: [1, 2, 3]) }  // before anybody is there
        let ticket = host.listener.expect { engineSide.attach($0) }
        let size = 3_000_000
        var echoed: [Int] = []
        engineSide.onFrame = { header, body in
            echoed.append(body.count)
            if header.id == 2 { host.loop.stop() }
        }
        startThread {
            guard let socket = try? SecureConnector.connect(ticket) else { return }
            let loop = EventLoop()
            let link = SecureLink(loop: loop)
            link.attach(socket)
            link.onFrame = { header, body in
                link.send(.result, id: header.id) { $0.append(contentsOf: body) }
                link.send(.result, id: 2) { $0.append(contentsOf: [UInt8](repeating: 5, count: size)) }
            }
            link.onClose = { _ in loop.stop() }
            loop.run()
        }
        host.loop.run()
        engineSide.close()
        #expect(echoed == [3, size])
    }

    @Test func aDirectorysSocketToo() throws {
        var template = Array("/tmp/swiftlet-test-XXXXXX".utf8CString)
        let directory = String(cString: try #require(mkdtemp(&template)))
        defer { rmdir(directory) }
        let loop = EventLoop()
        let listener = try SecureListener(path: "\(directory)/s", loop: loop)
        var came = 0
        let ticket = listener.expect(uses: 2) { socket in
            socket.close()
            came += 1
            if came == 2 { loop.stop() }
        }
        startThread { for _ in 0..<2 { try? SecureConnector.connect(ticket).close() } }
        loop.run()
        #expect(came == 2)
        listener.close()
        #expect(access("\(directory)/s", F_OK) != 0)
    }

    @Test func everyInterfaceIsRefused() {
        for host in ["0.0.0.0", "::", "localhost", ""] {
            #expect(throws: SystemError.self) { try SecureListener(host: host, loop: EventLoop()) }
        }
    }

    @Test func aWrongSecretIsTurnedAway() throws {
        let host = try Host()
        let good = host.listener.expect { _ in Issue.record("let in") }
        let bad = Ticket(address: good.address, id: good.id, secret: .random())
        let stranger = Ticket(address: good.address, id: TicketID(bytes: randomBytes(16)), secret: good.secret)
        host.onRefused = { if host.refusals.count == 2 { host.loop.stop() } }
        startThread {
            for ticket in [bad, stranger] {
                #expect(throws: SystemError.self) { try SecureConnector.connect(ticket) }
            }
        }
        host.loop.run()
        // The connector finds out first: who listens does not know what it takes for the secret.
        #expect(host.refusals.contains("a connection was turned away: it went away"))
        #expect(host.refusals.contains("a connection was turned away: nobody of that name is expected"))
    }

    @Test func aRecordedConversationIsOfNoUse() throws {
        let host = try Host()
        var letIn = 0
        let ticket = host.listener.expect(uses: 2) { socket in
            socket.close()
            letIn += 1
        }
        host.onRefused = { host.loop.stop() }
        let port = host.port
        startThread {
            // The genuine one, written down.
            let nonce = randomBytes(Handshake.nonceSize)
            let first = connectTo(port)
            let greeting = Handshake.greeting(ticket.id, nonce: nonce)
            send(first, greeting, greeting.count, 0)
            var answer = [UInt8](repeating: 0, count: Handshake.answerSize)
            recv(first, &answer, answer.count, waitForAll)
            let proof = Handshake.Transcript(
                secret: ticket.secret, ticket: ticket.id, connectorNonce: nonce,
                listenerNonce: Array(answer[8..<40])
            ).connectorProof
            send(first, proof, proof.count, 0)
            recv(first, &answer, 1, 0)  // it was let in and closed
            close(first)
            // And once more, word by word.
            let second = connectTo(port)
            send(second, greeting, greeting.count, 0)
            recv(second, &answer, answer.count, waitForAll)
            send(second, proof, proof.count, Int32(MSG_NOSIGNAL))
            recv(second, &answer, 1, 0)
            close(second)
        }
        host.loop.run()
        #expect(letIn == 1)
        #expect(host.refusals == ["a connection was turned away: its proof is wrong"])
    }

    @Test func aTicketIsUsedUp() throws {
        let host = try Host()
        var letIn = 0
        let ticket = host.listener.expect { socket in
            socket.close()
            letIn += 1
        }
        host.onRefused = { host.loop.stop() }
        startThread { for _ in 0..<2 { try? SecureConnector.connect(ticket).close() } }
        host.loop.run()
        #expect(letIn == 1)
    }

    @Test func noiseIsTurnedAway() throws {
        let host = try Host()
        _ = host.listener.expect { _ in Issue.record("let in") }
        let noises: [[UInt8]] = [
            Array("GET / HTTP/1.1\r\nHost: somewhere.invalid\r\nAccept: everything\r\n\r\n".utf8),
            [UInt8](repeating: 0, count: 100), randomBytes(4096),
        ]
        host.onRefused = { if host.refusals.count == noises.count { host.loop.stop() } }
        let port = host.port
        startThread {
            for noise in noises {
                let socket = connectTo(port)
                send(socket, noise, noise.count, Int32(MSG_NOSIGNAL))
                var byte: UInt8 = 0
                recv(socket, &byte, 1, 0)
                close(socket)
            }
        }
        host.loop.run()
        #expect(host.refusals.allSatisfy { $0.hasSuffix("the other end is no part of swiftlet") })
        #expect(host.listener.pendingCount == 0)
    }

    @Test func whoIsSlowIsTurnedAway() throws {
        let host = try Host(patience: 20_000_000)
        _ = host.listener.expect { _ in Issue.record("let in") }
        let silent = host.connect()
        let halfway = host.connect()
        defer { [silent, halfway].forEach { close($0) } }
        send(halfway, Handshake.magic, 8, 0)
        host.onRefused = { if host.refusals.count == 2 { host.loop.stop() } }
        host.loop.run()
        #expect(host.refusals.allSatisfy { $0.hasSuffix("in time") })
    }

    @Test func thirtyThreeDoNotCrowdOutOne() throws {
        let host = try Host(patience: 500_000_000)
        var letIn = false
        let ticket = host.listener.expect { socket in
            socket.close()
            letIn = true
            host.loop.stop()
        }
        // These say nothing; the one with the ticket stands behind them in the queue.
        let crowd = (0..<SecureListener.pendingLimit + 1).map { _ in host.connect() }
        defer { crowd.forEach { close($0) } }
        var mostPending = 0
        host.onRefused = { mostPending = max(mostPending, host.listener.pendingCount + 1) }
        startThread { try? SecureConnector.connect(ticket).close() }
        host.loop.run()
        #expect(letIn)
        #expect(mostPending == SecureListener.pendingLimit)
    }

    @Test func aForgedRecordEndsTheConversation() throws {
        let host = try Host()
        let link = SecureLink(loop: host.loop)
        let ticket = host.listener.expect { link.attach($0) }
        var reason: String?
        link.onFrame = { _, _ in Issue.record("a frame came through") }
        link.onClose = {
            reason = $0
            host.loop.stop()
        }
        startThread {
            guard let socket = try? SecureConnector.connect(ticket) else { return }
            var forged: [UInt8] = []
            forged.append(integer: UInt32(16))
            forged.append(frame: .shutdown, id: 0)
            forged.append(contentsOf: [UInt8](repeating: 0, count: Record.codeSize))
            send(socket.descriptor, forged, forged.count, 0)
            var byte: UInt8 = 0
            recv(socket.descriptor, &byte, 1, 0)
            socket.close()
        }
        host.loop.run()
        #expect(reason == "record 0 is not authentic")
    }
}
