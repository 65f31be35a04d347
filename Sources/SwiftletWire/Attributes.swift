// SPDX-License-Identifier: BSD-3-Clause

/// Named values in a frame that is not on the hot path. Unknown keys are carried and ignored.
public struct Attributes: Hashable, Sendable {
    public enum Value: Hashable, Sendable {
        case integer(Int64)
        case text(String)
        case bytes([UInt8])
        case list([String])
        case number(UInt64)  // the bit pattern of a Double, so that values compare exactly
    }

    public private(set) var values: [String: Value] = [:]

    public init() {}

    public subscript(integer key: String) -> Int? {
        get { if case .integer(let value)? = values[key] { Int(value) } else { nil } }
        set { values[key] = newValue.map { .integer(Int64($0)) } }
    }

    public subscript(text key: String) -> String? {
        get { if case .text(let value)? = values[key] { value } else { nil } }
        set { values[key] = newValue.map { .text($0) } }
    }

    public subscript(bytes key: String) -> [UInt8]? {
        get { if case .bytes(let value)? = values[key] { value } else { nil } }
        set { values[key] = newValue.map { .bytes($0) } }
    }

    public subscript(list key: String) -> [String]? {
        get { if case .list(let value)? = values[key] { value } else { nil } }
        set { values[key] = newValue.map { .list($0) } }
    }

    public subscript(number key: String) -> Double? {
        get { if case .number(let bits)? = values[key] { Double(bitPattern: bits) } else { nil } }
        set { values[key] = newValue.map { .number($0.bitPattern) } }
    }

    public init(_ reader: inout ByteReader) throws(WireError) {
        for _ in 0..<(try reader.integer(UInt16.self)) {
            let key = try reader.text(UInt64(reader.integer(UInt8.self)))
            switch try reader.integer(UInt8.self) {
            case 0: values[key] = .integer(try reader.integer())
            case 1: values[key] = .text(try reader.text(UInt64(reader.integer(UInt32.self))))
            case 2: values[key] = .bytes(Array(try reader.slice(UInt64(reader.integer(UInt32.self)))))
            case 3:
                var list: [String] = []
                for _ in 0..<(try reader.integer(UInt32.self)) {
                    list.append(try reader.text(UInt64(reader.integer(UInt32.self))))
                }
                values[key] = .list(list)
            case 4: values[key] = .number(try reader.integer())
            case let tag: throw WireError("attribute \(key) has the unknown tag \(tag)")
            }
        }
    }

    /// Reads a body that is nothing but attributes.
    public init(body: UnsafeRawBufferPointer) throws(WireError) {
        var reader = ByteReader(body)
        try self.init(&reader)
    }

    public func write(to bytes: inout [UInt8]) {
        bytes.append(integer: UInt16(values.count))
        if values.isEmpty { return }
        for (key, value) in values.sorted(by: { $0.key < $1.key }) {
            bytes.append(UInt8(key.utf8.count))
            bytes.append(contentsOf: key.utf8)
            switch value {
            case .integer(let integer):
                bytes.append(0)
                bytes.append(integer: integer)
            case .text(let text):
                bytes.append(1)
                bytes.append(text: text)
            case .bytes(let data):
                bytes.append(2)
                bytes.append(integer: UInt32(data.count))
                bytes.append(contentsOf: data)
            case .list(let list):
                bytes.append(3)
                bytes.append(integer: UInt32(list.count))
                for text in list { bytes.append(text: text) }
            case .number(let bits):
                bytes.append(4)
                bytes.append(integer: bits)
            }
        }
    }
}
