// SPDX-License-Identifier: BSD-3-Clause

/// A frame's body that does not parse.
public struct WireError: Error, Hashable, Sendable, CustomStringConvertible {
    public let description: String
    public init(_ description: String) { self.description = description }
}

/// Reads little-endian values from bytes it does not own; every read is checked against the end.
public struct ByteReader {
    private let bytes: UnsafeRawBufferPointer
    public private(set) var offset = 0

    public init(_ bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

    public var remaining: Int { bytes.count - offset }

    @inlinable
    public mutating func integer<T: FixedWidthInteger>(_ type: T.Type = T.self) throws(WireError) -> T {
        T(littleEndian: try load(T.self))
    }

    @usableFromInline
    mutating func load<T: FixedWidthInteger>(_ type: T.Type) throws(WireError) -> T {
        guard remaining >= MemoryLayout<T>.size else { throw WireError("ends within a number at byte \(offset)") }
        defer { offset += MemoryLayout<T>.size }
        return bytes.loadUnaligned(fromByteOffset: offset, as: T.self)
    }

    /// The next `count` bytes, not copied: valid as long as what the reader was made from.
    public mutating func slice(_ count: UInt64) throws(WireError) -> UnsafeRawBufferPointer {
        guard count <= UInt64(remaining) else { throw WireError("ends within a field of \(count) bytes at byte \(offset)") }
        defer { offset += Int(count) }
        return UnsafeRawBufferPointer(rebasing: bytes[offset..<offset + Int(count)])
    }

    public mutating func text(_ count: UInt64) throws(WireError) -> String {
        String(decoding: try slice(count), as: UTF8.self)
    }

    /// Everything up to the end.
    public mutating func rest() -> UnsafeRawBufferPointer {
        defer { offset = bytes.count }
        return UnsafeRawBufferPointer(rebasing: bytes[offset...])
    }
}
