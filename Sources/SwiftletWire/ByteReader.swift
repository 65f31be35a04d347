// SPDX-License-Identifier: BSD-3-Clause

/// A frame's body that does not parse.
public struct WireError: Error, Hashable, Sendable, CustomStringConvertible {
    public let description: String
    public init(_ description: String) { self.description = description }
}

/// Reads little-endian values from bytes it does not own; every read is checked against the end.
@frozen public struct ByteReader {
    @usableFromInline let bytes: UnsafeRawBufferPointer
    @usableFromInline var position = 0

    @inlinable public init(_ bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

    /// How many bytes have been read.
    @inlinable public var offset: Int { position }

    @inlinable public var remaining: Int { bytes.count - position }

    @inlinable
    public mutating func integer<T: FixedWidthInteger>(_ type: T.Type = T.self) throws(WireError) -> T {
        let size = MemoryLayout<T>.size
        guard remaining >= size else { throw endsEarly("a number") }
        var value: T = 0
        let source = UnsafeRawBufferPointer(rebasing: bytes[position..<position + size])
        withUnsafeMutableBytes(of: &value) { $0.copyMemory(from: source) }
        position += size
        return T(littleEndian: value)
    }

    @usableFromInline func endsEarly(_ what: String) -> WireError { WireError("ends within \(what) at byte \(position)") }

    /// The next `count` bytes, not copied: valid as long as what the reader was made from.
    @inlinable public mutating func slice(_ count: UInt64) throws(WireError) -> UnsafeRawBufferPointer {
        guard count <= UInt64(remaining) else { throw endsEarly("a field of \(count) bytes") }
        defer { position += Int(count) }
        return UnsafeRawBufferPointer(rebasing: bytes[position..<position + Int(count)])
    }

    public mutating func text(_ count: UInt64) throws(WireError) -> String {
        String(decoding: try slice(count), as: UTF8.self)
    }

    /// Everything up to the end.
    public mutating func rest() -> UnsafeRawBufferPointer {
        defer { position = bytes.count }
        return UnsafeRawBufferPointer(rebasing: bytes[position...])
    }
}
