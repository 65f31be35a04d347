// SPDX-License-Identifier: BSD-3-Clause
import Glibc
import SwiftletModel
import SwiftletStore
import SwiftletWire

/// A call with a place in a store: the body of frame SUBMIT_ENTRY.
struct EntryCall {
    let place: EntryPlace
    let function: String
    let request: RequestID
    let blobs: [BlobID]
    let inputs: [TaskID]
    /// As SUBMIT carries it after the request.
    let call: [UInt8]
    let payloadOffset: Int

    init(_ reader: inout ByteReader) throws(WireError) {
        place = EntryPlace(
            directory: try reader.text(UInt64(reader.integer(UInt16.self))),
            key: try reader.text(UInt64(reader.integer(UInt16.self))))
        function = try reader.text(UInt64(reader.integer(UInt16.self)))
        guard place.isAcceptable else { throw WireError("an entry cannot be at \(place)") }
        request = RequestID(try reader.integer())
        let start = reader
        let layout = try CallLayout(&reader)
        blobs = Array(layout.blobs)
        inputs = Array(layout.inputs)
        payloadOffset = layout.payloadOffset
        var rest = start
        call = Array(rest.rest())
        try Payload.scan(&reader) { _ in }
        guard reader.remaining == 0 else { throw WireError("\(reader.remaining) bytes after a payload") }
    }
}

extension EntryPlace {
    /// An absolute directory, and a key that stays below it. Clients check before; this is the last gate.
    var isAcceptable: Bool {
        directory.hasPrefix("/") && !key.isEmpty && !key.contains("\0")
            && key.split(separator: "/", omittingEmptySubsequences: false).allSatisfy { !$0.isEmpty && !$0.hasPrefix(".") }
    }
}

extension Engine {
    /// What the store keeps of a call: its blobs and its arguments, all in one piece.
    func storedTask(_ call: EntryCall, inputs: [String]) throws -> StoredTask {
        var parts: [[UInt8]] = []
        var names: [String] = []
        for (name, blob) in zip(["context", "function"], call.blobs) {
            guard let bytes = blobs[blob] else { throw WireError("blob \(blob.rawValue) was named but never sent") }
            parts.append(bytes)
            names.append(name)
        }
        let arguments = try bytes(ofPayload: call.call[call.payloadOffset...])
        parts += arguments
        names += arguments.map { _ in "arguments" }
        let header = EntryHeader(
            key: call.place.key, function: call.function, inputs: inputs.isEmpty ? nil : inputs,
            parts: zip(names, parts).map { .init(name: $0, length: $1.count) },
            resources: directives[call.request]?.headerValues)
        return StoredTask(header: header, parts: parts)
    }

    /// The parts of a payload, read out of their segments where they lie in some.
    func bytes(ofPayload payload: some Sequence<UInt8>) throws -> [[UInt8]] {
        var inlined: [UInt8] = []
        try Array(payload).withUnsafeBytes { raw in
            var reader = ByteReader(raw)
            try Payload.appendInlined(&reader, to: &inlined) { segments.read($0, offset: $1, length: $2, into: &$3) }
        }
        return try inlined.withUnsafeBytes { raw in
            var reader = ByteReader(raw)
            return try Payload.inlineParts(&reader) ?? []
        }
    }
}

extension Attributes {
    /// For the header of an entry.
    var headerValues: [String: HeaderValue] {
        values.compactMapValues { value in
            switch value {
            case .integer(let integer): .integer(Int(integer))
            case .text(let text): .text(text)
            case .list(let list): .list(list.map { .text($0) })
            case .number(let bits): .number(Double(bitPattern: bits))
            case .bytes: nil
            }
        }
    }
}
