// SPDX-License-Identifier: BSD-3-Clause

/// Writing of little-endian values and frames at the end of a byte array.
extension [UInt8] {
    @inlinable
    public mutating func append<T: FixedWidthInteger>(integer value: T) {
        Swift.withUnsafeBytes(of: value.littleEndian) { append(contentsOf: $0) }
    }

    public mutating func append(text value: String) {
        append(integer: UInt32(value.utf8.count))
        append(contentsOf: value.utf8)
    }

    /// A frame without a body, or the header of one whose body of `length` bytes follows.
    public mutating func append(frame type: FrameType, id: UInt64, flags: UInt8 = 0, length: Int = 0) {
        append(integer: FrameHeader(type: type.rawValue, flags: flags, length: length, id: id).word)
        append(integer: id)
    }

    /// A frame whose body is what `body` appends.
    public mutating func append(frame type: FrameType, id: UInt64, flags: UInt8 = 0, body: (inout [UInt8]) -> Void) {
        let start = count
        append(frame: type, id: id, flags: flags)
        body(&self)
        let word = FrameHeader(type: type.rawValue, flags: flags, length: count - start - FrameHeader.size, id: id).word
        withUnsafeMutableBytes { $0.storeBytes(of: word.littleEndian, toByteOffset: start, as: UInt64.self) }
    }
}
