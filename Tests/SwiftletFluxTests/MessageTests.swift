// SPDX-License-Identifier: BSD-3-Clause
import SwiftletFlux
import Testing

@Suite struct MessageTests {
    @Test func aRequestStandsOnTheWireAsFluxWantsIt() {
        let message = FluxMessage.request("attr.get", ["name": "size"], matchTag: 7)
        let payload = Array(#"{"name":"size"}"#.utf8) + [0]
        var expected: [UInt8] = [0x12, 0x00, 0xee, 0xff, 0, 0, 0, UInt8(1 + 1 + 8 + 1 + payload.count + 1 + 20)]
        expected += [0, 8] + Array("attr.get".utf8)
        expected += [UInt8(payload.count)] + payload
        expected += [20, 0x8e, 1, 1, 1 | 2 | 8, 255, 255, 255, 255, 0, 0, 0, 0, 255, 255, 255, 255, 0, 0, 0, 7]
        #expect(message.bytes == expected)
    }

    @Test(arguments: [0, 1, 253, 254, 255, 256, 70_000])
    func messagesComeBackWhateverTheirLength(_ length: Int) throws {
        let text = String(repeating: "x", count: length)
        let message = FluxMessage.request("a.b", .string(text), matchTag: 1, streaming: true, node: 3)
        var inbox = FluxInbox()
        inbox.append(message.bytes)
        inbox.append(message.bytes)
        let first = try #require(try inbox.next())
        #expect(first == message)
        #expect(try inbox.next() == message)
        #expect(try inbox.next() == nil)
    }

    @Test func aMessageMayArriveByteByByte() throws {
        let message = FluxMessage.request("job-ingest.submit", ["J": "abc"], matchTag: 9)
        var inbox = FluxInbox()
        for byte in message.bytes.dropLast() {
            inbox.append([byte])
            #expect(try inbox.next() == nil)
        }
        inbox.append(message.bytes.suffix(1))
        #expect(try inbox.next() == message)
    }

    @Test func otherProtocolsAreRefused() {
        var inbox = FluxInbox()
        inbox.append(Array("HTTP/1.1 200 OK".utf8))
        #expect(throws: FluxProtocolError.self) { try inbox.next() }
    }

    @Test func lengthsThatLieAreRefusedOrWaitedFor() throws {
        var huge = FluxInbox()
        huge.append([0x12, 0x00, 0xee, 0xff, 0xff, 0xff, 0xff, 0xff])
        #expect(throws: FluxProtocolError.self) { try huge.next() }
        var waiting = FluxInbox()
        waiting.append([0x12, 0x00, 0xee, 0xff, 0x00, 0x10, 0x00, 0x00, 1])
        #expect(try waiting.next() == nil)
    }

    @Test func noChangeOfOneByteCrashes() {
        let bytes = FluxMessage.request("attr.get", ["name": "size"], matchTag: 7).bytes
        for position in bytes.indices {
            for value in [UInt8(0), 1, 20, 127, 128, 254, 255] {
                var changed = bytes
                changed[position] = value
                var inbox = FluxInbox()
                inbox.append(changed)
                while let message = try? inbox.next() { #expect(message.topic.utf8.count < 300) }
            }
        }
    }

    @Test func aConversationMatchesAnswersToQuestions() throws {
        var conversation = FluxConversation()
        let (first, _) = conversation.ask(.attribute("size"))
        let (second, bytes) = conversation.ask(.journal)
        var inbox = FluxInbox()
        inbox.append(bytes)
        let question = try #require(try inbox.next())
        #expect(try conversation.receive([0]).isEmpty)
        var answers = try conversation.receive(FluxMessage.response(to: question, ["id": -1]).bytes)
        #expect(answers.map(\.tag) == [second] && answers.map(\.isLast) == [false])
        answers = try conversation.receive(FluxMessage.response(to: question, nil, error: 61).bytes)
        #expect(answers.map(\.answer) == [.end] && answers.map(\.isLast) == [true])
        // A stray answer to a question that is over, and the answer to the first.
        #expect(try conversation.receive(FluxMessage.response(to: question, ["id": 1]).bytes).isEmpty)
        var other = question
        other.matchTag = first
        other.flags = [.topic, .payload, .route]
        answers = try conversation.receive(FluxMessage.response(to: other, ["value": "4"]).bytes)
        #expect(answers.map(\.answer) == [.payload(["value": "4"])])
    }

    @Test func anErrorComesWithFluxsWords() throws {
        var conversation = FluxConversation()
        let (_, bytes) = conversation.ask(.submit(signed: "x", urgency: 99))
        var inbox = FluxInbox()
        inbox.append(bytes)
        let question = try #require(try inbox.next())
        var answer = FluxMessage.response(to: question, .null, error: 22)
        answer.payload = Array("invalid urgency".utf8)
        let answers = try conversation.receive([0] + answer.bytes)
        #expect(answers.map(\.answer) == [.fault(FluxFault(code: 22, "invalid urgency"))])
    }

    @Test func aBrokerThatDoesNotLetUsInSaysWhy() {
        var conversation = FluxConversation()
        #expect(throws: FluxFault(code: 1, "it belongs to another user, and does not let this one in")) {
            try conversation.receive([1])
        }
    }

    @Test func theOwnersSignature() {
        let signed = OwnerSignature.wrap(["a": 1], userID: 5)
        #expect(signed == "dmVyc2lvbgBpMQB1c2VyaWQAaTUAbWVjaGFuaXNtAHNub25lAA==.eyJhIjoxfQ==.none")
    }
}
