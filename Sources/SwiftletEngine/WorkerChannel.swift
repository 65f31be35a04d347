// SPDX-License-Identifier: BSD-3-Clause
import CSwiftlet
import Glibc
import SwiftletTransport
import SwiftletWire

/// A worker's side of the conversation with its engine, for workers written in Swift.
/// Calls are taken back as long as they have not been handed out by `next()`.
public final class WorkerChannel {
    /// A call to be run.
    public struct Call: Sendable {
        public let task: UInt64
        /// The number of the attempt, from 1.
        public let attempt: Int
        /// Blobs that say what to run.
        public let blobs: [UInt64]
        public let arguments: [UInt8]
        /// The values of the task's inputs.
        public let inputs: [[UInt8]]
        /// The worker ends with this call.
        public let isLast: Bool
        /// The frame's body as it came, for who passes the call on.
        let body: [UInt8]
    }

    public enum Message: Sendable {
        case blob(UInt64, [UInt8])
        case forget(UInt64)
        /// Prepare by what the blobs say, then answer `ready()` or `cannotPrepare(_:)`. The number is the place in the pool.
        case initialize(Int, blobs: [UInt64])
        case call(Call)
        /// Exit.
        case end
    }

    private let channel: BlockingChannel
    private var waiting = Fifo<Message>()
    /// What other ranks have answered through the engine; nil: the rank is gone.
    private var answers: [(rank: Int, answer: Answer?)] = []
    /// The engine takes a board.
    private var takesBoard = false
    /// When the last message was handed out.
    private var begun: UInt64 = 0

    /// The end of a call.
    public enum Answer: Sendable {
        case value([UInt8])
        case error([UInt8])
    }

    /// Over the connection that the worker was started with.
    public convenience init(descriptor: Int32) { self.init(BlockingChannel(descriptor: descriptor), step: nil, rank: 0) }

    /// Connects with the ticket that is the first line of the standard input, as a job step does.
    /// - Parameters:
    ///   - step: the step's name, for who may have to end it.
    ///   - rank: of those that the launcher has started; all but 0 take the ticket in the second line.
    /// - Throws: an error that says in words what does not work.
    public convenience init(connectingAs step: String?, rank: Int) throws {
        var line = AgentProgram.firstLine(of: 0)
        if rank > 0 { line = AgentProgram.firstLine(of: 0) }
        guard let ticket = Ticket(line: line) else {
            throw SystemError(description: "a worker that is a job step is started by its engine, which gives it a ticket")
        }
        AgentProgram.closeStandardInput()
        self.init(BlockingChannel(try SecureConnector.connect(ticket)), step: step, rank: rank)
    }

    /// Calls `action`, on a thread of its own, when the engine has closed the connection, whatever else this process is doing.
    public func whenClosed(_ action: @escaping @Sendable () -> Void) {
        let descriptor = channel.descriptor
        startThread {
            var watched = pollfd(fd: descriptor, events: Int16(0x2000), revents: 0)
            while poll(&watched, 1, -1) < 0 && errno == EINTR {}
            action()
        }
    }

    private init(_ channel: BlockingChannel, step: String?, rank: Int) {
        self.channel = channel
        channel.send { bytes in
            bytes.append(frame: .hello, id: protocolVersion) { bytes in
                var attributes = Attributes()
                attributes[text: "role"] = "worker"
                attributes[text: "version"] = productVersion
                attributes[integer: "pid"] = Int(getpid())
                attributes[integer: "segments"] = 0
                attributes[text: "step"] = step
                if rank > 0 { attributes[integer: "rank"] = rank }
                attributes.write(to: &bytes)
            }
        }
    }

    /// What to do next; nil when the engine is gone or says what this version does not understand.
    public func next() -> Message? {
        do {
            // First hear everything that has been said: a call may have been taken back.
            while let frame = try channel.next(wait: waiting.isEmpty) { try received(frame.header, frame.body) }
        } catch {
            let message = "swiftlet worker: \(error)\n"
            _ = write(2, message, message.utf8.count)
            return nil
        }
        begun = sl_monotonic_ns()
        return waiting.next()
    }

    public func ready() {
        if takesBoard { channel.offerBoard() }
        channel.send { $0.append(frame: .ready, id: 0) }
    }

    /// Nothing can be run here; `error` says why.
    public func cannotPrepare(_ error: [UInt8]) {
        channel.send { $0.append(frame: .initFailed, id: 0) { Payload.append(inline: error, to: &$0) } }
    }

    /// - Parameter leaving: the worker ends by itself after this, and takes no other call.
    public func answer(_ call: Call, _ answer: Answer, leaving: Bool = false) {
        // Flag 2: the call took less than 0.2 ms.
        let flags: UInt8 = (leaving ? 1 : 0) | (sl_monotonic_ns() - begun < 200_000 ? 2 : 0)
        channel.send { frame in
            frame.append(frame: .result, id: call.task, flags: flags) {
                switch answer {
                case .value(let bytes):
                    $0.append(0)
                    Payload.append(inline: bytes, to: &$0)
                case .error(let bytes):
                    $0.append(1)
                    Payload.append(inline: bytes, to: &$0)
                }
            }
        }
    }

    // MARK: ranks that a launcher has started

    /// Says the same to all other ranks.
    func sendToRanks(_ frames: (inout [UInt8]) -> Void) {
        channel.send { $0.append(frame: .toRanks, id: 0, flags: RankSwitch.all, body: frames) }
    }

    /// Waits for the next answer of another rank; an answer of nil: that rank is gone. nil where the engine is.
    func nextAnswerOfRank() -> (rank: Int, answer: Answer?)? {
        while answers.isEmpty {
            guard let frame = try? channel.next(), (try? received(frame.header, frame.body)) != nil else { return nil }
        }
        return answers.removeFirst()
    }

    private func received(_ header: FrameHeader, _ body: [UInt8]) throws {
        switch FrameType(rawValue: header.type) {
        case .hello:
            guard header.id == protocolVersion else { exit(86) }
            takesBoard = try body.withUnsafeBytes { try Attributes(body: $0) }[integer: "board"] == 1
        case .blob: waiting.append(.blob(header.id, body))
        case .forget: waiting.append(.forget(header.id))
        case .initialize: waiting.append(try Self.initialize(header, body))
        case .end: waiting.append(.end)
        case .call: waiting.append(.call(try Self.call(header, body)))
        case .recall:
            let wasWaiting = waiting.remove { message in
                if case .call(let call) = message { call.task == header.id } else { false }
            }
            guard wasWaiting else { return }
            channel.send { $0.append(frame: .recalled, id: header.id) }
        case .rankSaid where header.flags == 0: answers.append((Int(clamping: header.id), nil))
        case .rankSaid:
            if let answer = RankChannel.answer(header.flags, body) { answers.append((Int(clamping: header.id), answer)) }
        case .budget, .retire, .reuse: break  // it makes no segments, and reads none
        default: throw WireError("a worker understands no frame of type \(header.type)")
        }
    }

    private static func initialize(_ header: FrameHeader, _ body: [UInt8]) throws -> Message {
        try body.withUnsafeBytes { raw in
            var reader = ByteReader(raw)
            let count: UInt16 = try reader.integer()
            return .initialize(Int(header.id), blobs: try identifiers(count, &reader))
        }
    }

    private static func call(_ header: FrameHeader, _ body: [UInt8]) throws -> Call {
        try body.withUnsafeBytes { raw in
            var reader = ByteReader(raw)
            let attempt: UInt32 = try reader.integer()
            let blobCount: UInt16 = try reader.integer()
            let inputCount: UInt16 = try reader.integer()
            let blobs = try identifiers(blobCount, &reader)
            let arguments = try onlyPart(&reader)
            var inputs: [[UInt8]] = []
            for _ in 0..<inputCount { inputs.append(try onlyPart(&reader)) }
            return Call(
                task: header.id, attempt: Int(attempt), blobs: blobs, arguments: arguments, inputs: inputs,
                isLast: header.flags & 1 != 0, body: body)
        }
    }

    private static func identifiers(_ count: UInt16, _ reader: inout ByteReader) throws(WireError) -> [UInt64] {
        var identifiers: [UInt64] = []
        identifiers.reserveCapacity(min(Int(count), reader.remaining / 8))
        for _ in 0..<count { identifiers.append(try reader.integer()) }
        return identifiers
    }

    private static func onlyPart(_ reader: inout ByteReader) throws(WireError) -> [UInt8] {
        guard let part = try Payload.onlyInlinePart(&reader) else {
            throw WireError("a payload for this worker is not one inline part")
        }
        return Array(part)
    }
}
