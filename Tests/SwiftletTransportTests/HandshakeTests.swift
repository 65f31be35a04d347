// SPDX-License-Identifier: BSD-3-Clause
import SwiftletWire
import Testing

@testable import SwiftletTransport

/// The values of the reference's example; python/tests/unit/test_secure.py has the same.
enum Example {
    static let secret = SecretKey(UInt8(0)..<32)!
    static let ticket = TicketID(bytes: Array(0xA0...0xAF))
    static let transcript = Handshake.Transcript(
        secret: secret, ticket: ticket, connectorNonce: [UInt8](repeating: 1, count: 32),
        listenerNonce: [UInt8](repeating: 2, count: 32))
}

func hex(_ bytes: [UInt8]) -> String {
    bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
}

@Suite struct HandshakeTests {
    @Test func messagesAreThoseOfTheReference() {
        let answer = Example.transcript.answer
        #expect(answer.count == Handshake.answerSize)
        #expect(Array(answer.prefix(8)) == Array("swiftlt".utf8) + [1])
        #expect(hex(Array(answer.suffix(32))) == "89cc1b5ae88548275137fbfdd44ffc6fce033e169df2893b6cc4082a390ff82c")
        #expect(hex(Example.transcript.connectorProof) == "98ac7b1a4cfeb7268bb44343b981efcbdbfbb065c5ffdbc9dd0bdfc8479b431f")
        let keys = Example.transcript.keys(ofListener: true)
        #expect(hex(keys.sending.bytes) == "bff652bb8cd7a2a471fb6a871bac51a8d340db588b24c6fab3968cc9cba33ce6")
        #expect(hex(keys.receiving.bytes) == "c7d249e97e4161b1ae1a4454395197f7a2f3168b0836b237efd9d03aa62e5aae")
        #expect(Handshake.greeting(Example.ticket, nonce: [UInt8](repeating: 1, count: 32)).count == Handshake.greetingSize)
    }

    @Test func eachEndProvesItsOwnRole() throws {
        let transcript = Example.transcript
        let (_, listenerProof) = try Handshake.readAnswer(transcript.answer)
        #expect(transcript.isListener(proof: listenerProof))
        #expect(transcript.isConnector(proof: transcript.connectorProof))
        // What one end said cannot be said by the other.
        #expect(!transcript.isConnector(proof: listenerProof))
        #expect(!transcript.isListener(proof: transcript.connectorProof))
    }

    @Test func aProofIsGoodForItsNoncesAndSecretOnly() {
        let recorded = Example.transcript.connectorProof
        let laterSession = Handshake.Transcript(
            secret: Example.secret, ticket: Example.ticket, connectorNonce: Example.transcript.connectorNonce,
            listenerNonce: [UInt8](repeating: 3, count: 32))
        #expect(!laterSession.isConnector(proof: recorded))
        let otherSecret = Handshake.Transcript(
            secret: .random(), ticket: Example.ticket, connectorNonce: Example.transcript.connectorNonce,
            listenerNonce: Example.transcript.listenerNonce)
        #expect(!otherSecret.isConnector(proof: recorded))
        #expect(!Example.transcript.isConnector(proof: Array(recorded.dropLast())))
        #expect(!Example.transcript.isConnector(proof: []))
    }

    @Test func somethingElseIsNamed() {
        #expect(throws: WireError("the other end is no part of swiftlet")) {
            try Handshake.readGreeting([UInt8](repeating: 71, count: Handshake.greetingSize))
        }
        var later = Handshake.greeting(Example.ticket, nonce: [UInt8](repeating: 1, count: 32))
        later[7] = 9
        #expect(throws: WireError("the other end speaks version 9 of authentication, this one 1")) {
            try Handshake.readGreeting(later)
        }
    }

    @Test func ticketsTravelAsLines() throws {
        let addresses: [ListenerAddress] = [.tcp("fe80::1", port: 4711), .tcp("10.0.0.1", port: 1), .unix("/tmp/a b/engine")]
        for address in addresses {
            let ticket = Ticket(address: address, id: Example.ticket, secret: Example.secret)
            let read = try #require(Ticket(line: ticket.line))
            #expect(read.address == address)
            #expect(read.id == ticket.id)
            #expect(read.secret.bytes == ticket.secret.bytes)
        }
        let both = Ticket(
            address: .tcp("10.0.0.1", port: 1), near: .unix("/tmp/a b/engine"), id: Example.ticket, secret: Example.secret)
        let read = try #require(Ticket(line: both.line))
        #expect(read.address == both.address)
        #expect(read.near == both.near)
        #expect(Ticket(line: both.line.replacing("unix:", with: "x:")) == nil)
        let good = Ticket(address: .unix("/a"), id: Example.ticket, secret: Example.secret).line
        let bads = [
            "", "swiftlet-ticket", good.replacing("ticket", with: "tickets"), good.replacing("unix:", with: "tcp:0:"),
            good.replacing(" a0", with: " g0"), good.replacing(" a0", with: " "),
        ]
        for bad in bads { #expect(Ticket(line: bad) == nil, "\(bad)") }
    }
}
