// SPDX-License-Identifier: BSD-3-Clause

/// One value that is no container, as it was read.
enum Item {
    case null
    case bool(Bool)
    case integer(Int64)
    /// Larger than the largest Int64, or any number of an array of UInt64.
    case unsigned(UInt64)
    case number(Double)
    case text(UnsafeRawBufferPointer)
    case other(String)

    init(_ reader: inout CBORReader) throws(CBORError) {
        let head = try reader.head()
        switch head.major {
        case CBOR.Major.unsigned:
            self = head.argument <= UInt64(Int64.max) ? .integer(Int64(head.argument)) : .unsigned(head.argument)
        case CBOR.Major.negative:
            guard head.argument <= UInt64(Int64.max) else {
                self = .other("an integer of more than 64 bits")
                return
            }
            self = .integer(~Int64(head.argument))
        case CBOR.Major.text: self = .text(try reader.content(head))
        case CBOR.Major.bytes: self = .other("bytes")
        case CBOR.Major.array: self = .other("an array")
        case CBOR.Major.map: self = .other("a map")
        case CBOR.Major.tag: self = .other("an array of numbers")
        default:
            switch head.info {
            case CBOR.false & 31: self = .bool(false)
            case CBOR.true & 31: self = .bool(true)
            case CBOR.null & 31, 23: self = .null
            case CBOR.half & 31: self = .number(Self.half(UInt16(head.argument)))
            case CBOR.single & 31: self = .number(Double(Float(bitPattern: UInt32(head.argument))))
            case CBOR.double & 31: self = .number(Double(bitPattern: head.argument))
            default: self = .other("a simple value")
            }
        }
    }

    /// What it is, for messages.
    var kind: String {
        switch self {
        case .null: "null"
        case .bool: "a Bool"
        case .integer, .unsigned: "an integer"
        case .number: "a floating-point number"
        case .text: "a text"
        case .other(let kind): kind
        }
    }

    func integer<T: FixedWidthInteger>(_ type: T.Type) -> T? {
        switch self {
        case .integer(let value): T(exactly: value)
        case .unsigned(let value): T(exactly: value)
        case .number(let value): T(exactly: value)
        default: nil
        }
    }

    var double: Double? {
        switch self {
        case .integer(let value): Double(value)
        case .unsigned(let value): Double(value)
        case .number(let value): value
        default: nil
        }
    }

    var string: String? {
        if case .text(let bytes) = self { String(decoding: bytes, as: UTF8.self) } else { nil }
    }

    private static func half(_ bits: UInt16) -> Double {
        let fraction = Double(bits & 0x3ff)
        let exponent = Int(bits >> 10 & 31)
        let size: Double
        switch exponent {
        case 0: size = fraction * 0x1p-24
        case 31: size = fraction == 0 ? .infinity : .nan
        default: size = Double(sign: .plus, exponent: exponent - 15, significand: 1 + fraction / 1024)
        }
        return bits & 0x8000 == 0 ? size : -size
    }
}
