// SPDX-License-Identifier: BSD-3-Clause
import Glibc
import SwiftletModel
import SwiftletStore
import SwiftletTransport
import SwiftletWire

// Parts of entries and parts of payloads. Large ones are not copied on the loop: what is written is read by the store's thread where it
// lies, what was read lies where the client can map it.
extension Engine {
    /// A part in a segment of at least this size stays there until it is written.
    private static let largePart: UInt64 = 1 << 20

    /// The parts of an entry that have this name, as a payload. Its segment is there until nobody holds a part of it: take those first.
    func payload(of entry: StoredEntry, named name: String) -> [UInt8] {
        guard let memory = entry.memory else { return Payload(inlineParts: entry.parts(named: name)).bytes }
        let copy = fcntl(memory.descriptor, F_DUPFD_CLOEXEC, 0)
        guard copy >= 0 else {
            log.write("a stored value cannot be passed on: \(systemErrorText())")
            return Payload.none.bytes
        }
        let segment = segments.adopt(copy, size: UInt64(memory.size))
        let indices = entry.header.parts.indices.filter { entry.header.parts[$0].name == name }
        var bytes: [UInt8] = []
        bytes.append(integer: UInt16(indices.count))
        for index in indices {
            if let offset = entry.offsets[index] {
                bytes.append(1)
                bytes.append(integer: segment)
                bytes.append(integer: UInt64(offset))
                bytes.append(integer: UInt64(entry.header.parts[index].length))
            } else {
                bytes.append(0)
                let part = entry.part(index)
                bytes.append(integer: UInt64(part.count))
                bytes.append(contentsOf: part)
            }
        }
        return bytes
    }

    /// The parts of a payload for an entry. Those that stay where they are are held: `letGo` when they have been written.
    func storedParts(of payload: some Sequence<UInt8>) throws -> StoredParts {
        var found = StoredParts()
        try Array(payload).withUnsafeBytes { raw in
            var reader = ByteReader(raw)
            try Payload.forEachPart(&reader) { part throws(WireError) in
                switch part {
                case .inline(let bytes): found.add(Array(bytes))
                case .segment(let id, let offset, let length):
                    if length >= Self.largePart, let file = segments.file(of: id, offset: offset, length: length) {
                        let held = Payload.SegmentPart(segment: id, length: length)
                        segments.take(held)
                        return found.add(FilePart(descriptor: file, offset: Int(offset), length: Int(length)), held)
                    }
                    var bytes: [UInt8] = []
                    guard segments.read(id, offset: offset, length: length, into: &bytes) else {
                        throw WireError("segment \(id) cannot be read")
                    }
                    found.add(bytes)
                }
            }
        }
        return found
    }

    func letGo(_ parts: [Payload.SegmentPart]) {
        for part in parts { segments.drop(part, peers: peers) }
    }
}

/// Parts of an entry to be written, and what has to stay until they are.
struct StoredParts {
    private(set) var parts: [[UInt8]] = []
    private(set) var files: [Int: FilePart] = [:]
    private(set) var held: [Payload.SegmentPart] = []

    var lengths: [Int] { parts.indices.map { files[$0]?.length ?? parts[$0].count } }

    mutating func add(_ bytes: [UInt8]) { parts.append(bytes) }

    mutating func add(_ file: FilePart, _ part: Payload.SegmentPart) {
        files[parts.count] = file
        parts.append([])
        held.append(part)
    }

    mutating func add(_ others: StoredParts) {
        for (index, file) in others.files { files[parts.count + index] = file }
        parts += others.parts
        held += others.held
    }
}
