// SPDX-License-Identifier: BSD-3-Clause

/// The parts of CBOR (RFC 8949) that tasks and values travel in: an open, compact format in which numbers keep all their bits.
enum CBOR {
    enum Major {
        static let unsigned: UInt8 = 0
        static let negative: UInt8 = 1
        static let bytes: UInt8 = 2
        static let text: UInt8 = 3
        static let array: UInt8 = 4
        static let map: UInt8 = 5
        static let tag: UInt8 = 6
        static let simple: UInt8 = 7
    }

    static let `false`: UInt8 = 0xf4
    static let `true`: UInt8 = 0xf5
    static let null: UInt8 = 0xf6
    static let half: UInt8 = 0xf9
    static let single: UInt8 = 0xfa
    static let double: UInt8 = 0xfb
    static let openArray: UInt8 = 0x9f
    static let openMap: UInt8 = 0xbf
    static let emptyMap: UInt8 = 0xa0
    static let end: UInt8 = 0xff
}

extension [UInt8] {
    /// The head of an item: what it is, and its number or length.
    @inline(__always)
    mutating func append(cbor major: UInt8, _ argument: UInt64) {
        let kind = major << 5
        switch argument {
        case 0..<24: append(kind | UInt8(argument))
        case 24..<0x100:
            append(kind | 24)
            append(UInt8(argument))
        case 0x100..<0x1_0000:
            append(kind | 25)
            append(bigEndian: UInt16(argument))
        case 0x1_0000..<0x1_0000_0000:
            append(kind | 26)
            append(bigEndian: UInt32(argument))
        default:
            append(kind | 27)
            append(bigEndian: argument)
        }
    }

    @inline(__always)
    mutating func append<T: FixedWidthInteger>(bigEndian value: T) {
        Swift.withUnsafeBytes(of: value.bigEndian) { append(contentsOf: $0) }
    }

    mutating func append(cbor text: String) {
        var text = text
        text.withUTF8 {
            append(cbor: CBOR.Major.text, UInt64($0.count))
            append(contentsOf: $0)
        }
    }

    mutating func append(cborInteger value: Int64) {
        if value >= 0 {
            append(cbor: CBOR.Major.unsigned, UInt64(value))
        } else {
            append(cbor: CBOR.Major.negative, UInt64(bitPattern: ~value))
        }
    }

    mutating func append(cbor value: Double) {
        append(CBOR.double)
        append(bigEndian: value.bitPattern)
    }

    mutating func append(cbor value: Float) {
        append(CBOR.single)
        append(bigEndian: value.bitPattern)
    }
}

/// Bytes that are no CBOR, or no item of the kind that was asked for.
struct CBORError: Error, CustomStringConvertible {
    let description: String
}

/// Reads CBOR items from bytes it does not own.
struct CBORReader {
    struct Head {
        var major: UInt8
        /// The low five bits of the first byte: for simple values and floats what they are, 31 for items of open length.
        var info: UInt8
        var argument: UInt64

        var isOpen: Bool { info == 31 }
    }

    let bytes: UnsafeRawBufferPointer
    var offset: Int

    @inline(__always)
    mutating func head() throws(CBORError) -> Head {
        guard offset < bytes.count else { throw CBORError(description: "the bytes end within an item") }
        let first = bytes[offset]
        offset += 1
        let info = first & 31
        let argument: UInt64
        switch info {
        case 0..<24: argument = UInt64(info)
        case 24: argument = UInt64(try bigEndian(UInt8.self))
        case 25: argument = UInt64(try bigEndian(UInt16.self))
        case 26: argument = UInt64(try bigEndian(UInt32.self))
        case 27: argument = try bigEndian(UInt64.self)
        case 31: argument = 0
        default: throw CBORError(description: "an item begins with the byte \(first)")
        }
        return Head(major: first >> 5, info: info, argument: argument)
    }

    private mutating func bigEndian<T: FixedWidthInteger>(_: T.Type) throws(CBORError) -> T {
        guard bytes.count - offset >= MemoryLayout<T>.size else { throw CBORError(description: "the bytes end within a number") }
        defer { offset += MemoryLayout<T>.size }
        return T(bigEndian: bytes.loadUnaligned(fromByteOffset: offset, as: T.self))
    }

    /// What follows a head of bytes or text.
    mutating func content(_ head: Head) throws(CBORError) -> UnsafeRawBufferPointer {
        guard !head.isOpen, head.argument <= UInt64(bytes.count - offset) else {
            throw CBORError(description: "the bytes end within a text")
        }
        defer { offset += Int(head.argument) }
        return UnsafeRawBufferPointer(rebasing: bytes[offset..<offset + Int(head.argument)])
    }

    /// Calls `body` at each item of an array, or at each key of a map, whose head was read; `body` reads what is there.
    @inline(__always)
    mutating func forEach(
        in head: Head, _ body: (inout CBORReader) throws(CBORError) -> Void
    ) throws(CBORError) {
        var left = head.argument
        while true {
            if head.isOpen {
                if try atEnd() { return }
            } else {
                if left == 0 { return }
                left -= 1
            }
            try body(&self)
        }
    }

    /// Whether an item of open length ends here; goes past the end if so.
    mutating func atEnd() throws(CBORError) -> Bool {
        guard offset < bytes.count else { throw CBORError(description: "the bytes end within an item") }
        guard bytes[offset] == CBOR.end else { return false }
        offset += 1
        return true
    }

    /// Goes past one item, however deep it is.
    mutating func skip() throws(CBORError) {
        // How many items are left on each level; nil: until the end mark.
        var levels: [UInt64?] = []
        repeat {
            if let last = levels.last {
                if let left = last {
                    if left == 0 {
                        levels.removeLast()
                        continue
                    }
                    levels[levels.count - 1] = left - 1
                } else if try atEnd() {
                    levels.removeLast()
                    continue
                }
            }
            let head = try head()
            switch head.major {
            case CBOR.Major.bytes, CBOR.Major.text: _ = try content(head)
            case CBOR.Major.array: levels.append(head.isOpen ? nil : head.argument)
            case CBOR.Major.map:
                guard head.isOpen || head.argument <= UInt64.max / 2 else { throw CBORError(description: "a map is too large") }
                levels.append(head.isOpen ? nil : head.argument * 2)
            case CBOR.Major.tag: levels.append(1)
            default: break
            }
        } while !levels.isEmpty
    }
}
