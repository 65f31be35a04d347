// SPDX-License-Identifier: BSD-3-Clause
import Crypto

/// By which a task's value is found again in the executor's cache directory: a name and a version that you choose, to which the
/// task's arguments, the keys of its inputs and its ranks are added. Equal tasks run once, also those of several programs.
///
/// The name does not change when you rename the type. Raise the version when the code gives other values than before: the code itself
/// is no part of the key.
///
/// A task that holds a `Set`, or a dictionary whose keys are neither `String` nor `Int`, is not found again by another program: the
/// order in which they are written is another one in each process. Make the type of such keys `CodingKeyRepresentable`, or give the task a
/// sorted array.
///
/// ```swift
/// let mean = try executor.submit(LogisticMean(rate: 3.7), cacheKey: CacheKey("logistic-mean", version: 2))
/// ```
public struct CacheKey: Hashable, Sendable {
    public let name: String
    public let version: Int

    /// - Parameter name: letters, digits, `.`, `_` and `-`; it stands at the beginning of file names.
    public init(_ name: String, version: Int = 1) {
        self.name = name
        self.version = version
    }

    /// The key of an entry.
    /// - Parameters:
    ///   - arguments: the encoded task.
    ///   - inputs: the keys of its inputs, in order.
    ///   - ranks: what its ranks make of the value.
    /// - Throws: ``TaskError`` (`refused`) for a name that can be none of a file.
    func entry(arguments: [UInt8], inputs: [String], ranks: String) throws(TaskError) -> String {
        let isUsable = name.utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"):
                true
            default: "._-".utf8.contains(byte)
            }
        }
        guard isUsable, !name.isEmpty, !name.hasPrefix("."), name.utf8.count <= 100 else {
            throw TaskError(
                .refused,
                "\"\(name)\" cannot name a cache key: at most 100 letters, digits, '.', '_' and '-', not beginning with '.'")
        }
        var hash = SHA256()
        for part in [Array(name.utf8), Array("\(version)".utf8), Array(ranks.utf8), try CanonicalCBOR.of(arguments)]
            + inputs.map({ Array($0.utf8) })
        {
            withUnsafeBytes(of: UInt64(part.count).littleEndian) { hash.update(data: Array($0)) }
            hash.update(data: part)
        }
        let digits = Array("0123456789abcdef".utf8)
        let text = hash.finalize().prefix(16).flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }
        return "\(name)-\(version)-\(String(decoding: text, as: UTF8.self))"
    }
}

/// CBOR in one form for equal values: the members of a map by their keys, whose order is a dictionary's own affair and another one in
/// each process. (That of a set cannot be known from its bytes, nor that of a dictionary that is written as a list: tasks that hold one
/// are not found again.)
enum CanonicalCBOR {
    static func of(_ bytes: [UInt8]) throws(TaskError) -> [UInt8] {
        do {
            return try bytes.withUnsafeBytes { raw in
                var reader = CBORReader(bytes: raw, offset: 0)
                return try item(&reader)
            }
        } catch {
            throw TaskError(.undecodable, "the encoded task cannot be read again: \(error)")
        }
    }

    private static func item(_ reader: inout CBORReader) throws(CBORError) -> [UInt8] {
        let start = reader.offset
        let head = try reader.head()
        switch head.major {
        case CBOR.Major.bytes, CBOR.Major.text: _ = try reader.content(head)
        case CBOR.Major.array:
            var items: [UInt8] = [CBOR.openArray]
            try reader.forEach(in: head) { (reader: inout CBORReader) throws(CBORError) in items += try item(&reader) }
            return items + [CBOR.end]
        case CBOR.Major.map:
            var members: [(key: [UInt8], value: [UInt8])] = []
            try reader.forEach(in: head) { (reader: inout CBORReader) throws(CBORError) in
                members.append((try item(&reader), try item(&reader)))
            }
            members.sort { $0.key.lexicographicallyPrecedes($1.key) }
            return [CBOR.openMap] + members.flatMap { $0.key + $0.value } + [CBOR.end]
        case CBOR.Major.tag:
            let tag = Array(reader.bytes[start..<reader.offset])
            return try tag + item(&reader)
        default: break
        }
        return Array(reader.bytes[start..<reader.offset])
    }
}
