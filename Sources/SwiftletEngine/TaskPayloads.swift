// SPDX-License-Identifier: BSD-3-Clause
import SwiftletModel
import SwiftletScheduler
import SwiftletTransport
import SwiftletWire

/// The bytes of a task that the engine keeps: its call until it has ended for good, its value while somebody may need it.
struct TaskPayloads {
    /// As SUBMIT carried it after the request: counts, blobs, inputs, payload. Empty when dropped, and for external tasks.
    var call: [UInt8] = []
    /// An encoded payload; empty while there is none.
    var value: [UInt8] = []
    var request = RequestID(0)
}

/// Where the parts of a stored call lie.
struct CallLayout {
    private let ids: UnsafeRawBufferPointer
    let blobCount: Int
    let inputCount: Int
    /// Where the payload begins.
    let payloadOffset: Int

    /// Reads the counts and passes over the ids; the layout is valid as long as the reader's bytes.
    init(_ reader: inout ByteReader) throws(WireError) {
        let start = reader.offset
        blobCount = Int(try reader.integer(UInt16.self))
        inputCount = Int(try reader.integer(UInt16.self))
        ids = try reader.slice(UInt64((blobCount + inputCount) * 8))
        payloadOffset = reader.offset - start
    }

    var blobs: some Sequence<BlobID> { (0..<blobCount).lazy.map { BlobID(id(at: $0)) } }
    var inputs: some Sequence<TaskID> { (blobCount..<blobCount + inputCount).lazy.map { TaskID(id(at: $0)) } }

    private func id(at index: Int) -> UInt64 {
        UInt64(littleEndian: ids.loadUnaligned(fromByteOffset: index * 8, as: UInt64.self))
    }
}

extension Engine {
    /// Calls `action` for each part of an encoded payload that lies in a segment. The bytes were checked when they arrived.
    func forSegmentParts(of payload: some Sequence<UInt8>, _ action: (Payload.SegmentPart) -> Void) {
        let scanned: Void? = payload.withContiguousStorageIfAvailable { bytes in
            var reader = ByteReader(UnsafeRawBufferPointer(bytes))
            try? Payload.scan(&reader, segmentPart: action)
        }
        assert(scanned != nil, "payloads are contiguous")
    }

    /// Takes in a payload that has just arrived: its parts in segments are held from now on.
    func take(_ bytes: UnsafeRawBufferPointer) throws(WireError) -> [UInt8] {
        var reader = ByteReader(bytes)
        var parts: [Payload.SegmentPart] = []
        try Payload.scan(&reader) { parts.append($0) }
        guard reader.remaining == 0 else { throw WireError("\(reader.remaining) bytes after a payload") }
        for part in parts { segments.take(part) }
        return Array(bytes)
    }

    func release(_ payload: some Sequence<UInt8>) {
        forSegmentParts(of: payload) { segments.drop($0, peers: peers) }
    }

    /// Announces to `peer` what the payload's parts in segments need, and counts them as delivered.
    func deliver(_ payload: some Sequence<UInt8>, to peer: Peer) {
        guard peer.takesSegments else { return }
        forSegmentParts(of: payload) { segments.deliver($0, to: peer) }
    }

    /// Appends a payload that was delivered to `peer`, as that one can read it.
    func append(_ payload: some Sequence<UInt8>, for peer: Peer, to bytes: inout [UInt8]) {
        guard !peer.takesSegments else { return bytes.append(contentsOf: payload) }
        let start = bytes.count
        let appended: Void?? = payload.withContiguousStorageIfAvailable { raw in
            var reader = ByteReader(UnsafeRawBufferPointer(raw))
            return try? Payload.appendInlined(&reader, to: &bytes) {
                segments.read($0, offset: $1, length: $2, into: &$3)
            }
        }
        if appended ?? nil == nil {
            log.write("a payload for peer \(peer.origin) could not be made inline")
            bytes.removeLast(bytes.count - start)
            bytes.append(contentsOf: Payload.none.bytes)
        }
    }

    func dropArguments(of task: TaskID) {
        guard let place = tasks.index(forKey: task), !tasks.values[place].call.isEmpty else { return }
        let call = tasks.values[place].call
        inlineBytes -= UInt64(call.count)
        argumentBytes -= UInt64(call.count)
        call.withUnsafeBytes { raw in
            var reader = ByteReader(raw)
            guard let layout = try? CallLayout(&reader) else { return }
            for blob in layout.blobs where blobs.disuse(blob) { forgetEverywhere(blob) }
            release(call[layout.payloadOffset...])
        }
        tasks.values[place].call = []
        if tasks.values[place].value.isEmpty { tasks.remove(at: place) }
        adjustBudget()
    }

    func dropValue(of task: TaskID) {
        if !causes.isEmpty { causes[task] = nil }
        guard let place = tasks.index(forKey: task) else { return }
        let value = tasks.values[place].value
        inlineBytes -= UInt64(value.count)
        release(value)
        tasks.values[place].value = []
        if tasks.values[place].call.isEmpty { tasks.remove(at: place) }
        adjustBudget()
    }

    /// The payload in hand becomes its task's value.
    func keepPayloadInHand(for task: TaskID) {
        guard let inHand = payloadInHand, inHand.task == task else { return }
        inlineBytes += UInt64(inHand.bytes.count)
        tasks[task, default: TaskPayloads()].value = inHand.bytes
        payloadInHand = nil
        adjustBudget()
    }

    /// Nobody wanted it: its task had been cancelled.
    func dropPayloadInHand() {
        if let bytes = payloadInHand?.bytes { release(bytes) }
        payloadInHand = nil
    }

    func forgetEverywhere(_ blob: BlobID) {
        for worker in workers.values where worker.peer.blobs.remove(blob) != nil {
            worker.peer.link.send(.forget, id: blob.rawValue)
        }
    }

    /// Tells producers when the budget of payload bytes is used up (1: spool to files), when the arguments of waiting tasks alone
    /// exceed it all the same (2: submit nothing; they go as tasks end), and when there is room again. It changes back with some slack, so that it does not flicker.
    func adjustBudget() {
        guard let budget = configuration?.memoryBudget, budget < .max else { return }
        let used = inlineBytes + segments.memoryBytes
        let level: UInt8 =
            argumentBytes > budget + budget / 2 || (budgetLevel == 2 && argumentBytes > budget)
            ? 2 : used > budget || (budgetLevel > 0 && used > budget / 5 * 4) ? 1 : 0
        guard level != budgetLevel else { return }
        budgetLevel = level
        log.write("payload budget: level \(level), \(used) of \(budget) bytes")
        client.link.send(.budget, id: UInt64(level))
        for worker in workers.values { worker.peer.link.send(.budget, id: UInt64(level)) }
    }
}
