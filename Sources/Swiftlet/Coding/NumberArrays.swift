// SPDX-License-Identifier: BSD-3-Clause

/// Arrays of numbers travel as their memory (typed arrays, RFC 8746, little-endian), not number by number.
protocol ArrayNumber: BitwiseCopyable, Codable {
    /// The tag that stands before the bytes.
    static var tag: UInt64 { get }
    static func from(integer: Int64) -> Self?
    static func from(number: Double) -> Self?
}

extension ArrayNumber where Self: FixedWidthInteger {
    static func from(integer: Int64) -> Self? { Self(exactly: integer) }
    static func from(number: Double) -> Self? { Self(exactly: number) }
}

extension ArrayNumber where Self: BinaryFloatingPoint {
    static func from(integer: Int64) -> Self? { Self(integer) }
    static func from(number: Double) -> Self? { Self(number) }
}

extension UInt8: ArrayNumber { static var tag: UInt64 { 64 } }
extension UInt16: ArrayNumber { static var tag: UInt64 { 69 } }
extension UInt32: ArrayNumber { static var tag: UInt64 { 70 } }
extension UInt64: ArrayNumber { static var tag: UInt64 { 71 } }
extension UInt: ArrayNumber { static var tag: UInt64 { 71 } }
extension Int8: ArrayNumber { static var tag: UInt64 { 72 } }
extension Int16: ArrayNumber { static var tag: UInt64 { 77 } }
extension Int32: ArrayNumber { static var tag: UInt64 { 78 } }
extension Int64: ArrayNumber { static var tag: UInt64 { 79 } }
extension Int: ArrayNumber { static var tag: UInt64 { 79 } }
extension Float: ArrayNumber { static var tag: UInt64 { 85 } }
extension Double: ArrayNumber { static var tag: UInt64 { 86 } }

enum NumberArrays {
    /// The types that are written so. Looked up once: asking the runtime for a generic type takes longer than writing a small value.
    private struct Types {
        let double = ObjectIdentifier([Double].self)
        let int = ObjectIdentifier([Int].self)
        let float = ObjectIdentifier([Float].self)
        let uint8 = ObjectIdentifier([UInt8].self)
        let int32 = ObjectIdentifier([Int32].self)
        let int64 = ObjectIdentifier([Int64].self)
        let uint32 = ObjectIdentifier([UInt32].self)
        let uint64 = ObjectIdentifier([UInt64].self)
        let uint = ObjectIdentifier([UInt].self)
        let int16 = ObjectIdentifier([Int16].self)
        let uint16 = ObjectIdentifier([UInt16].self)
        let int8 = ObjectIdentifier([Int8].self)
    }
    private static let types = Types()

    /// Writes the value where it is an array of numbers; false where it is not.
    static func encode<T>(_ value: T, to bytes: inout [UInt8]) -> Bool {
        guard MemoryLayout<T>.size == MemoryLayout<[Int]>.size else { return false }
        switch ObjectIdentifier(T.self) {
        case types.double: append(unsafeBitCast(value, to: [Double].self), to: &bytes)
        case types.int: append(unsafeBitCast(value, to: [Int].self), to: &bytes)
        case types.float: append(unsafeBitCast(value, to: [Float].self), to: &bytes)
        case types.uint8: append(unsafeBitCast(value, to: [UInt8].self), to: &bytes)
        case types.int32: append(unsafeBitCast(value, to: [Int32].self), to: &bytes)
        case types.int64: append(unsafeBitCast(value, to: [Int64].self), to: &bytes)
        case types.uint32: append(unsafeBitCast(value, to: [UInt32].self), to: &bytes)
        case types.uint64: append(unsafeBitCast(value, to: [UInt64].self), to: &bytes)
        case types.uint: append(unsafeBitCast(value, to: [UInt].self), to: &bytes)
        case types.int16: append(unsafeBitCast(value, to: [Int16].self), to: &bytes)
        case types.uint16: append(unsafeBitCast(value, to: [UInt16].self), to: &bytes)
        case types.int8: append(unsafeBitCast(value, to: [Int8].self), to: &bytes)
        default: return false
        }
        return true
    }

    private static func append<N: ArrayNumber>(_ numbers: [N], to bytes: inout [UInt8]) {
        if N.self != UInt8.self { bytes.append(cbor: CBOR.Major.tag, N.tag) }
        numbers.withUnsafeBytes {
            bytes.append(cbor: CBOR.Major.bytes, UInt64($0.count))
            bytes.append(contentsOf: $0)
        }
    }

    /// Reads an array of numbers where one is asked for and its memory is there; nil: it has to be read number by number.
    static func decode<T>(_ type: T.Type, from reader: CBORReader) throws(CBORError) -> T? {
        guard MemoryLayout<T>.size == MemoryLayout<[Int]>.size else { return nil }
        var reader = reader
        guard let array = try TypedArray(&reader) else { return nil }
        func read<N: ArrayNumber>(_ type: N.Type) -> T? {
            guard T.self == [N].self, array.tag == N.tag else { return nil }
            let numbers = [N](unsafeUninitializedCapacity: array.count) { target, count in
                UnsafeMutableRawBufferPointer(target).copyMemory(from: array.bytes)
                count = array.count
            }
            return unsafeBitCast(numbers, to: T.self)
        }
        switch array.tag {
        case 64: return read(UInt8.self)
        case 69: return read(UInt16.self)
        case 70: return read(UInt32.self)
        case 71: return read(UInt.self) ?? read(UInt64.self)
        case 72: return read(Int8.self)
        case 77: return read(Int16.self)
        case 78: return read(Int32.self)
        case 79: return read(Int.self) ?? read(Int64.self)
        case 85: return read(Float.self)
        default: return read(Double.self)
        }
    }
}

/// An array of numbers as its memory.
struct TypedArray {
    let tag: UInt64
    let bytes: UnsafeRawBufferPointer
    let count: Int
    private let width: Int

    /// nil where the item is none. Plain bytes are an array of `UInt8`.
    init?(_ reader: inout CBORReader) throws(CBORError) {
        var head = try reader.head()
        if head.major == CBOR.Major.tag {
            tag = head.argument
            head = try reader.head()
        } else {
            tag = UInt8.tag
        }
        guard head.major == CBOR.Major.bytes, let width = Self.width(ofTag: tag) else { return nil }
        bytes = try reader.content(head)
        guard bytes.count % width == 0 else { throw CBORError(description: "an array of numbers ends within one") }
        self.width = width
        count = bytes.count / width
    }

    private static func width(ofTag tag: UInt64) -> Int? {
        switch tag {
        case 64, 72: 1
        case 69, 77: 2
        case 70, 78, 85: 4
        case 71, 79, 86: 8
        default: nil
        }
    }

    /// The item that stands for one number.
    func item(at index: Int) -> Item {
        func load<N: FixedWidthInteger>(_ type: N.Type) -> N {
            N(littleEndian: bytes.loadUnaligned(fromByteOffset: index * width, as: N.self))
        }
        switch tag {
        case 64: return .integer(Int64(load(UInt8.self)))
        case 69: return .integer(Int64(load(UInt16.self)))
        case 70: return .integer(Int64(load(UInt32.self)))
        case 71: return .unsigned(load(UInt64.self))
        case 72: return .integer(Int64(load(Int8.self)))
        case 77: return .integer(Int64(load(Int16.self)))
        case 78: return .integer(Int64(load(Int32.self)))
        case 79: return .integer(load(Int64.self))
        case 85: return .number(Double(Float(bitPattern: load(UInt32.self))))
        default: return .number(Double(bitPattern: load(UInt64.self)))
        }
    }
}
