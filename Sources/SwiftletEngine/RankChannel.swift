// SPDX-License-Identifier: BSD-3-Clause
import SwiftletTransport
import SwiftletWire

/// Rank 0's connection to another rank of its group, which is a worker like any other: what the engine says to rank 0 is said to it,
/// too. Used by one thread at a time.
public final class RankChannel: @unchecked Sendable {
    // Not checked: rank 0 waits for the thread that reads an answer before it says anything more.
    private let way: Way

    private enum Way {
        /// To a rank that this process has started.
        case own(BlockingChannel)
        /// To all ranks that a launcher has started beside this one: the engine passes on what is said.
        case engine(WorkerChannel)
    }

    public init(toAllThrough channel: WorkerChannel) { way = .engine(channel) }

    public init(descriptor: Int32) {
        let channel = BlockingChannel(descriptor: descriptor)
        way = .own(channel)
        channel.send { $0.append(frame: .hello, id: protocolVersion) { Attributes().write(to: &$0) } }
    }

    private func send(_ frames: (inout [UInt8]) -> Void) {
        switch way {
        case .own(let channel): channel.send(frames)
        case .engine(let channel): channel.sendToRanks(frames)
        }
    }

    public func blob(_ id: UInt64, _ bytes: [UInt8]) {
        send { $0.append(frame: .blob, id: id) { $0.append(contentsOf: bytes) } }
    }

    public func forget(_ id: UInt64) { send { $0.append(frame: .forget, id: id) } }

    public func initialize(_ index: Int, blobs: [UInt64]) {
        send {
            $0.append(frame: .initialize, id: UInt64(index)) { bytes in
                bytes.append(integer: UInt16(blobs.count))
                for blob in blobs { bytes.append(integer: blob) }
            }
        }
    }

    public func call(_ call: WorkerChannel.Call) {
        send { $0.append(frame: .call, id: call.task) { $0.append(contentsOf: call.body) } }
    }

    /// A call that comes from nobody else.
    public func call(_ task: UInt64, attempt: Int, blobs: [UInt64], arguments: [UInt8], inputs: [[UInt8]]) {
        send {
            $0.append(frame: .call, id: task) { bytes in
                bytes.append(integer: UInt32(attempt))
                bytes.append(integer: UInt16(blobs.count))
                bytes.append(integer: UInt16(inputs.count))
                for blob in blobs { bytes.append(integer: blob) }
                Payload.append(inline: arguments, to: &bytes)
                for input in inputs { Payload.append(inline: input, to: &bytes) }
                bytes.append(integer: UInt16(0))  // attributes
            }
        }
    }

    public func end() { send { $0.append(frame: .end, id: 0) } }

    /// Waits for the answer to a call, or to being told to prepare (then an empty value); nil where the rank is gone.
    public func answer() -> WorkerChannel.Answer? {
        guard case .own(let channel) = way else { return nextAnswer()?.answer }
        while let frame = try? channel.next() {
            if let answer = Self.answer(frame.header.type, frame.body) { return answer }
            if frame.header.type == FrameType.result.rawValue { return nil }
        }
        return nil
    }

    /// The same of any of the ranks that a launcher has started: an answer of nil where that rank is gone, nil where the engine is.
    public func nextAnswer() -> (rank: Int, answer: WorkerChannel.Answer?)? {
        guard case .engine(let channel) = way else { return nil }
        return channel.nextAnswerOfRank()
    }

    /// What a rank's frame answers; nil: nothing.
    static func answer(_ type: UInt8, _ body: [UInt8]) -> WorkerChannel.Answer? {
        switch FrameType(rawValue: type) {
        case .ready: return .value([])
        case .initFailed: return part(body[...]).map { .error($0) }
        case .result:
            guard let kind = body.first, let part = part(body.dropFirst()) else { return nil }
            return kind == 0 ? .value(part) : .error(part)
        default: return nil  // hello
        }
    }

    private static func part(_ bytes: ArraySlice<UInt8>) -> [UInt8]? {
        bytes.withUnsafeBytes { raw in
            var reader = ByteReader(raw)
            return (try? Payload.inlineParts(&reader))??.first
        }
    }
}
