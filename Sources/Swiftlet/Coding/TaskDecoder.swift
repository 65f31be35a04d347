// SPDX-License-Identifier: BSD-3-Clause

/// What all decoders of one value share. Valid only while the bytes are: during one call of ``TaskCoding/decode(_:_:inputs:)``.
final class DecodingContext {
    let bytes: UnsafeRawBufferPointer
    /// The encoded values of the task's inputs.
    let inputs: [[UInt8]]

    init(_ bytes: UnsafeRawBufferPointer, inputs: [[UInt8]]) {
        self.bytes = bytes
        self.inputs = inputs
    }
}

/// A key made of a position in an array.
struct IndexKey: CodingKey {
    let index: Int
    var stringValue: String { "\(index)" }
    var intValue: Int? { index }

    init(_ index: Int) { self.index = index }
    init?(stringValue: String) { nil }
    init?(intValue: Int) { index = intValue }
}

/// Reads one value from CBOR.
final class TaskDecoder: Decoder {
    let context: DecodingContext
    let offset: Int
    private let parent: TaskDecoder?
    private let key: (any CodingKey)?
    /// Which of the map's keys is looked at first.
    var nextKey = 0
    var userInfo: [CodingUserInfoKey: Any] { [:] }

    init(_ context: DecodingContext, at offset: Int, in parent: TaskDecoder? = nil, as key: (any CodingKey)? = nil) {
        self.context = context
        self.offset = offset
        self.parent = parent
        self.key = key
    }

    var codingPath: [any CodingKey] { (parent?.codingPath ?? []) + (key.map { [$0] } ?? []) }

    var reader: CBORReader { CBORReader(bytes: context.bytes, offset: offset) }

    func container<Key: CodingKey>(keyedBy type: Key.Type) throws -> KeyedDecodingContainer<Key> {
        KeyedDecodingContainer(try KeyedReader<Key>(self))
    }

    func unkeyedContainer() throws -> any UnkeyedDecodingContainer { try UnkeyedReader(self) }
    func singleValueContainer() -> any SingleValueDecodingContainer { SingleReader(decoder: self) }

    // MARK: values at an offset

    func at(_ offset: Int, _ key: (any CodingKey)?) -> TaskDecoder { TaskDecoder(context, at: offset, in: self, as: key) }

    func item() throws -> Item {
        var reader = reader
        do { return try Item(&reader) } catch { throw corrupted("\(error)") }
    }

    var isNull: Bool { offset < context.bytes.count && context.bytes[offset] == CBOR.null }

    func integer<T: FixedWidthInteger>(_ type: T.Type) throws -> T {
        let item = try item()
        guard let value = item.integer(type) else {
            if item.double != nil { throw corrupted("the number is no \(T.self)") }
            throw mismatch(type, found: item.kind)
        }
        return value
    }

    func double() throws -> Double {
        let item = try item()
        guard let value = item.double else { throw mismatch(Double.self, found: item.kind) }
        return value
    }

    func bool() throws -> Bool {
        let item = try item()
        guard case .bool(let value) = item else { throw mismatch(Bool.self, found: item.kind) }
        return value
    }

    func string() throws -> String {
        let item = try item()
        guard let value = item.string else { throw mismatch(String.self, found: item.kind) }
        return value
    }

    func value<T: Decodable>(_ type: T.Type) throws -> T {
        // What is most frequent does not take the way through the type's own containers.
        if type == Int.self { return unsafeBitCast(try integer(Int.self), to: T.self) }
        if type == Double.self { return unsafeBitCast(try double(), to: T.self) }
        do throws(CBORError) {
            if let array = try NumberArrays.decode(type, from: reader) { return array }
        } catch { throw corrupted("\(error)") }
        return try T(from: self)
    }

    // MARK: errors

    func corrupted(_ text: String) -> DecodingError {
        .dataCorrupted(.init(codingPath: codingPath, debugDescription: text))
    }

    func mismatch(_ type: Any.Type, found kind: String) -> DecodingError {
        .typeMismatch(type, .init(codingPath: codingPath, debugDescription: "expected \(type), found \(kind)"))
    }
}

struct SingleReader: SingleValueDecodingContainer {
    let decoder: TaskDecoder
    var codingPath: [any CodingKey] { decoder.codingPath }

    func decodeNil() -> Bool { decoder.isNull }
    func decode(_ type: Bool.Type) throws -> Bool { try decoder.bool() }
    func decode(_ type: String.Type) throws -> String { try decoder.string() }
    func decode(_ type: Double.Type) throws -> Double { try decoder.double() }
    func decode(_ type: Float.Type) throws -> Float { Float(try decoder.double()) }
    func decode(_ type: Int.Type) throws -> Int { try decoder.integer(type) }
    func decode(_ type: Int8.Type) throws -> Int8 { try decoder.integer(type) }
    func decode(_ type: Int16.Type) throws -> Int16 { try decoder.integer(type) }
    func decode(_ type: Int32.Type) throws -> Int32 { try decoder.integer(type) }
    func decode(_ type: Int64.Type) throws -> Int64 { try decoder.integer(type) }
    func decode(_ type: UInt.Type) throws -> UInt { try decoder.integer(type) }
    func decode(_ type: UInt8.Type) throws -> UInt8 { try decoder.integer(type) }
    func decode(_ type: UInt16.Type) throws -> UInt16 { try decoder.integer(type) }
    func decode(_ type: UInt32.Type) throws -> UInt32 { try decoder.integer(type) }
    func decode(_ type: UInt64.Type) throws -> UInt64 { try decoder.integer(type) }
    func decode<T: Decodable>(_ type: T.Type) throws -> T { try decoder.value(type) }
}
