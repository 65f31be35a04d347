// SPDX-License-Identifier: BSD-3-Clause
import Glibc
import SwiftletTransport
import SwiftletWire

/// Shared-memory segments: who made them, who holds parts of them, and when nobody does any more
/// (docs/reference/wire-protocol.md, "Segments and memory").
struct SegmentTable {
    private struct Segment {
        let descriptor: Int32
        let size: UInt64
        let inMemory: Bool
        let producer: UInt32
        /// Its producer puts nothing more into it.
        var isSealed = false
        /// Parts held by the engine and all consumers.
        var holds = 0
        /// Parts held by each peer that has the descriptor.
        var consumers: [UInt32: Int] = [:]
        var bytes: UInt64 = 0
    }

    private var segments: [UInt64: Segment] = [:]
    /// The last segment of the engine itself; no peer has the number 0, in which these are.
    private var lastOwn: UInt64 = 0
    /// Bytes of parts in memory segments that are alive.
    private(set) var memoryBytes: UInt64 = 0

    var count: Int { segments.count }

    mutating func announce(
        _ id: UInt64, descriptor: Int32, size: UInt64, inMemory: Bool, by producer: Peer
    ) throws(WireError) {
        guard id >> 32 == UInt64(producer.origin), segments[id] == nil else {
            closeDescriptor(descriptor)
            throw WireError("segment \(id) cannot be announced by peer \(producer.origin)")
        }
        segments[id] = Segment(descriptor: descriptor, size: size, inMemory: inMemory, producer: producer.origin)
    }

    /// Memory of the engine's own making, which holds a value: nothing more is put into it. It lives from the first `take` on until
    /// nobody holds a part.
    mutating func adopt(_ descriptor: Int32, size: UInt64) -> UInt64 {
        lastOwn += 1
        segments[lastOwn] = Segment(descriptor: descriptor, size: size, inMemory: true, producer: 0, isSealed: true)
        return lastOwn
    }

    /// The file in which a part lies; nil where there is no such part.
    func file(of id: UInt64, offset: UInt64, length: UInt64) -> Int32? {
        guard let segment = segments[id], offset <= segment.size, length <= segment.size - offset else { return nil }
        return segment.descriptor
    }

    mutating func seal(_ id: UInt64, peers: [UInt32: Peer]) {
        segments[id]?.isSealed = true
        retireIfUnused(id, peers)
    }

    /// A payload arrived: the engine holds its parts now.
    mutating func take(_ part: Payload.SegmentPart) {
        guard segments[part.segment] != nil else { return }
        segments[part.segment]!.holds += 1
        segments[part.segment]!.bytes += part.length
        if segments[part.segment]!.inMemory { memoryBytes += part.length }
    }

    /// The engine has no more use for a part it held.
    mutating func drop(_ part: Payload.SegmentPart, peers: [UInt32: Peer]) {
        segments[part.segment]?.holds -= 1
        retireIfUnused(part.segment, peers)
    }

    /// A part is about to be delivered; the consumer gets the descriptor if it has not got it.
    mutating func deliver(_ part: Payload.SegmentPart, to consumer: Peer) {
        guard let segment = segments[part.segment] else { return }
        if segment.consumers[consumer.origin] == nil {
            let copy = fcntl(segment.descriptor, F_DUPFD_CLOEXEC, 0)
            consumer.link.send(.segment, id: part.segment, descriptors: [copy]) { $0.append(integer: segment.size) }
        }
        segments[part.segment]!.consumers[consumer.origin, default: 0] += 1
        segments[part.segment]!.holds += 1
    }

    /// Appends the bytes of a part; false where there is no such segment, or it ends before the part does.
    func read(_ id: UInt64, offset: UInt64, length: UInt64, into output: inout [UInt8]) -> Bool {
        guard let segment = segments[id], offset <= segment.size, length <= segment.size - offset else { return false }
        let start = output.count
        output.append(contentsOf: repeatElement(0, count: Int(length)))
        return output.withUnsafeMutableBytes { bytes in
            var done = 0
            while done < Int(length) {
                let count = pread(
                    segment.descriptor, bytes.baseAddress! + start + done, Int(length) - done, off_t(offset) + off_t(done))
                if count < 0 && errno == EINTR { continue }
                guard count > 0 else { return false }
                done += count
            }
            return true
        }
    }

    /// A consumer says that it uses so many parts no more.
    mutating func free(_ id: UInt64, count: Int, by consumer: Peer, peers: [UInt32: Peer]) {
        guard let held = segments[id]?.consumers[consumer.origin] else { return }
        let freed = min(held, count)
        segments[id]!.consumers[consumer.origin] = held - freed
        segments[id]!.holds -= freed
        retireIfUnused(id, peers)
    }

    /// A peer is gone, with all it held; the segments it made live on as long as others hold them.
    mutating func peerIsGone(_ origin: UInt32, peers: [UInt32: Peer]) {
        for id in Array(segments.keys) {
            if let held = segments[id]!.consumers.removeValue(forKey: origin) { segments[id]!.holds -= held }
            if segments[id]!.producer == origin { segments[id]!.isSealed = true }
            retireIfUnused(id, peers)
        }
    }

    private mutating func retireIfUnused(_ id: UInt64, _ peers: [UInt32: Peer]) {
        guard let segment = segments[id], segment.isSealed, segment.holds == 0 else { return }
        segments[id] = nil
        closeDescriptor(segment.descriptor)
        if segment.inMemory { memoryBytes -= segment.bytes }
        for consumer in segment.consumers.keys { peers[consumer]?.link.send(.retire, id: id) }
        peers[segment.producer]?.link.send(.reuse, id: id)
    }
}
