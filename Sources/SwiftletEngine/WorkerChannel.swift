// SPDX-License-Identifier: BSD-3-Clause
import Glibc
import SwiftletTransport
import SwiftletWire

/// A worker's side of the conversation with its engine, for workers written in Swift.
/// Calls are taken back as long as they have not been handed out by `next()`.
public final class WorkerChannel {
    /// A call to be run.
    public struct Call: Sendable {
        public let task: UInt64
        /// Blobs that say what to run.
        public let blobs: [UInt64]
        public let arguments: [UInt8]
        /// The worker ends with this call.
        public let isLast: Bool
    }

    public enum Message: Sendable {
        case blob(UInt64, [UInt8])
        case forget(UInt64)
        /// Prepare, then answer `ready()`.
        case initialize
        case call(Call)
        /// Exit.
        case end
    }

    private let channel: BlockingChannel
    private var waiting: [Message] = []

    public init(descriptor: Int32) {
        channel = BlockingChannel(descriptor: descriptor)
        channel.send { bytes in
            bytes.append(frame: .hello, id: protocolVersion) { bytes in
                var attributes = Attributes()
                attributes[text: "role"] = "worker"
                attributes[text: "version"] = productVersion
                attributes[integer: "pid"] = Int(getpid())
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
        return waiting.isEmpty ? nil : waiting.removeFirst()
    }

    public func ready() { channel.send { $0.append(frame: .ready, id: 0) } }

    /// The end of a call: a value, or an error as text.
    public func answer(_ call: Call, _ result: Result<[UInt8], some Error>) {
        let (kind, bytes): (UInt8, [UInt8]) =
            switch result {
            case .success(let value): (0, value)
            case .failure(let error): (1, Array("\(error)".utf8))
            }
        channel.send { frame in
            frame.append(frame: .result, id: call.task) {
                $0.append(kind)
                $0.append(contentsOf: Payload(inline: bytes).bytes)
            }
        }
    }

    private func received(_ header: FrameHeader, _ body: [UInt8]) throws {
        switch FrameType(rawValue: header.type) {
        case .hello:
            guard header.id == protocolVersion else { exit(86) }
        case .blob: waiting.append(.blob(header.id, body))
        case .forget: waiting.append(.forget(header.id))
        case .initialize: waiting.append(.initialize)
        case .end: waiting.append(.end)
        case .call: waiting.append(.call(try Self.call(header, body)))
        case .recall:
            let index = waiting.firstIndex { message in
                if case .call(let call) = message { call.task == header.id } else { false }
            }
            guard let index else { return }
            waiting.remove(at: index)
            channel.send { $0.append(frame: .recalled, id: header.id) }
        case .budget, .retire, .reuse: break  // it makes no segments, and reads none
        default: throw WireError("a worker understands no frame of type \(header.type)")
        }
    }

    private static func call(_ header: FrameHeader, _ body: [UInt8]) throws -> Call {
        try body.withUnsafeBytes { raw in
            var reader = ByteReader(raw)
            let _: UInt32 = try reader.integer()  // attempt
            let blobCount: UInt16 = try reader.integer()
            let _: UInt16 = try reader.integer()  // inputs
            var blobs: [UInt64] = []
            for _ in 0..<blobCount { blobs.append(try reader.integer()) }
            guard let parts = try Payload.inlineParts(&reader), let arguments = parts.first else {
                throw WireError("the arguments of task \(header.id) are not inline")
            }
            return Call(task: header.id, blobs: blobs, arguments: arguments, isLast: header.flags & 1 != 0)
        }
    }
}
