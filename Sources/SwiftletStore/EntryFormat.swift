// SPDX-License-Identifier: BSD-3-Clause
import Crypto
import FoundationEssentials

/// What an entry's file is for.
public enum EntryRole: UInt8, Sendable, CaseIterable {
    /// What is to be run.
    case task = 1
    /// What came of it.
    case outcome = 2

    /// The end of the file's name.
    public var suffix: String {
        switch self {
        case .task: ".task"
        case .outcome: ".outcome"
        }
    }
}

/// Why bytes are no entry that can be used.
public enum EntryFault: Error, Hashable, Sendable, CustomStringConvertible {
    /// Cut off, changed, or never an entry: the checksum or the structure is wrong.
    case damaged(String)
    /// Written by a newer version.
    case newer(Int)
    /// Intact, but not what was asked for.
    case mistaken(String)

    public var description: String {
        switch self {
        case .damaged(let how): "is damaged (\(how))"
        case .newer(let version): "has format version \(version), which this version cannot read"
        case .mistaken(let how): how
        }
    }
}

/// Entries ⇄ bytes: magic, version, header, parts, SHA-256 (docs/reference/store-format.md). Pure.
public enum EntryFormat {
    public static let version = 1
    static let magic = Array("swiftlet".utf8)
    static let prefixSize = 16
    static let digestSize = 32

    /// The file's bytes. The header's parts have to be those of `parts`.
    public static func encode(_ role: EntryRole, _ header: EntryHeader, parts: [[UInt8]]) -> [UInt8] {
        let start = start(role, header)
        var bytes: [UInt8] = []
        bytes.reserveCapacity(start.count + parts.reduce(0) { $0 + $1.count } + digestSize)
        bytes += start
        for part in parts { bytes += part }
        bytes += SHA256.hash(data: bytes)
        return bytes
    }

    /// What precedes the parts.
    static func start(_ role: EntryRole, _ header: EntryHeader) -> [UInt8] {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        guard let json = try? encoder.encode(header) else { return [] }
        var bytes = magic + [UInt8(version), 0, role.rawValue, 0]
        for shift in stride(from: 0, to: 32, by: 8) { bytes.append(UInt8(truncatingIfNeeded: json.count >> shift)) }
        return bytes + json
    }

    /// Whether an entry whose checksum is right is the one that was asked for.
    static func check(
        _ role: EntryRole, _ prefix: some RandomAccessCollection<UInt8>, _ header: EntryHeader, key: String
    ) throws(EntryFault) {
        let prefix = Array(prefix)
        let found = Int(prefix[8]) | Int(prefix[9]) << 8
        guard found == version else { throw .newer(found) }
        guard prefix[10] == role.rawValue else { throw .mistaken("is not a \(role) entry") }
        guard header.key == key else { throw .mistaken("names another key, \(header.key)") }
    }

    /// The header and the parts of an entry whose checksum is right. `onlyEssentials`: of the header only what tells what it is.
    public static func decode(
        _ role: EntryRole, _ bytes: [UInt8], key: String, onlyEssentials: Bool = false
    ) throws(EntryFault) -> (header: EntryHeader, parts: [ArraySlice<UInt8>]) {
        guard bytes.count >= prefixSize + digestSize else {
            throw .damaged(bytes.isEmpty ? "it is empty" : "it ends early, after \(bytes.count) bytes")
        }
        guard bytes.starts(with: magic) else { throw .damaged("it does not begin as an entry") }
        let end = bytes.count - digestSize
        guard SHA256.hash(data: bytes[..<end]).elementsEqual(bytes[end...]) else {
            throw .damaged("its checksum is wrong")
        }
        let found = Int(bytes[8]) | Int(bytes[9]) << 8
        guard found == version else { throw .newer(found) }
        let length = (0..<4).reduce(0) { $0 | Int(bytes[12 + $1]) << (8 * $1) }
        guard length <= end - prefixSize else { throw .damaged("its header is longer than the file") }
        let json = Data(bytes[prefixSize..<prefixSize + length])
        let decoder = JSONDecoder()
        let decoded =
            onlyEssentials
            ? (try? decoder.decode(EntryEssentials.self, from: json))?.header : try? decoder.decode(EntryHeader.self, from: json)
        guard let header = decoded else {
            throw .damaged("its header is no header")
        }
        try check(role, bytes[..<prefixSize], header, key: key)
        var parts: [ArraySlice<UInt8>] = []
        var offset = prefixSize + length
        for part in header.parts {
            guard part.length >= 0, part.length <= end - offset else { throw .damaged("a part is longer than the file") }
            parts.append(bytes[offset..<offset + part.length])
            offset += part.length
        }
        guard offset == end else { throw .damaged("there are bytes after its last part") }
        return (header, parts)
    }
}
