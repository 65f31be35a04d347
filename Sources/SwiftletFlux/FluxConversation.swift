// SPDX-License-Identifier: BSD-3-Clause

/// Why an instance of Flux did not do what it was asked.
public struct FluxFault: Error, Hashable, Sendable, CustomStringConvertible {
    /// The errno of the answer; 0 where the connection is gone.
    public let code: Int32
    public let description: String

    public init(code: Int32 = 0, _ description: String) {
        self.code = code
        self.description = description
    }
}

/// The client's half of the conversation with a broker: which request an answer belongs to. Bytes in, answers out; a value.
public struct FluxConversation: Sendable {
    public enum Answer: Hashable, Sendable {
        case payload(JSON)
        /// Nothing more comes: the end of a stream.
        case end
        case fault(FluxFault)
    }

    /// One answer to one question.
    public struct Delivery: Hashable, Sendable {
        public let tag: UInt32
        public let answer: Answer
        /// No more follow.
        public let isLast: Bool
    }

    /// errno values of Linux that have a meaning of their own here.
    enum Code {
        static let noData: UInt32 = 61
    }

    private struct Question {
        let topic: String
        let isStreaming: Bool
    }

    private var inbox = FluxInbox()
    private var isAccepted = false
    private var lastTag: UInt32 = 0
    private var open: [UInt32: Question] = [:]

    public init() {}

    /// The bytes of a request, and the number its answers come with. They may be sent before the broker has accepted us.
    public mutating func ask(_ request: FluxRequest, node: UInt32 = FluxMessage.anyNode) -> (tag: UInt32, bytes: [UInt8]) {
        lastTag &+= 1
        if lastTag == 0 { lastTag = 1 }  // 0 means: no answer wanted
        open[lastTag] = Question(topic: request.topic, isStreaming: request.isStreaming)
        let message = FluxMessage.request(
            request.topic, request.payload, matchTag: lastTag, streaming: request.isStreaming, node: node)
        return (lastTag, message.bytes)
    }

    /// Takes in what came and returns the answers that are complete. Everything that is no answer to a question is passed over.
    /// - Throws: where the broker does not let us in, or does not speak Flux's protocol: the connection is of no use any more.
    public mutating func receive(_ bytes: some Collection<UInt8>) throws(FluxFault) -> [Delivery] {
        var bytes = bytes[...]
        if !isAccepted, let verdict = bytes.popFirst() {
            guard verdict == 0 else { throw Self.refusal(Int32(verdict)) }
            isAccepted = true
        }
        inbox.append(bytes)
        var answers: [Delivery] = []
        do {
            while let message = try inbox.next() {
                guard let answer = answer(in: message) else { continue }
                let isLast = open[message.matchTag] == nil
                answers.append(Delivery(tag: message.matchTag, answer: answer, isLast: isLast))
            }
        } catch {
            throw FluxFault("the broker sent \(error)")
        }
        return answers
    }

    private mutating func answer(in message: FluxMessage) -> Answer? {
        guard message.kind == .response, let question = open[message.matchTag] else { return nil }
        let text = message.payload.map { String(decoding: $0, as: UTF8.self) }
        if message.nodeOrError != 0 {
            open[message.matchTag] = nil
            if question.isStreaming, message.nodeOrError == Code.noData { return .end }
            let reason = text.flatMap { $0.isEmpty ? nil : $0 } ?? Self.words(for: Int32(bitPattern: message.nodeOrError))
            return .fault(FluxFault(code: Int32(bitPattern: message.nodeOrError), reason))
        }
        if !question.isStreaming { open[message.matchTag] = nil }
        guard let payload = message.payload, !payload.isEmpty else { return .payload(.null) }
        do {
            return .payload(try JSON(parsing: payload))
        } catch {
            open[message.matchTag] = nil
            return .fault(FluxFault("\(question.topic) was answered with \(error)"))
        }
    }

    private static func refusal(_ code: Int32) -> FluxFault {
        FluxFault(
            code: code,
            code == 1
                ? "it belongs to another user, and does not let this one in"
                : "the broker does not let us in: \(words(for: code))")
    }

    /// The errno values brokers answer with, in words. The engine is static: it has no locale to ask.
    static func words(for code: Int32) -> String {
        switch code {
        case 1: "not permitted"
        case 2: "no such job or key"
        case 10: "no such job to wait for"
        case 13: "permission denied"
        case 17: "it exists already"
        case 22: "invalid request"
        case 38: "the service is not loaded (the instance may still be starting, or shutting down)"
        case 71: "protocol error"
        case 111: "connection refused"
        case 113: "the node cannot be reached"
        default: "error \(code)"
        }
    }
}
