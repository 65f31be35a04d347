// SPDX-License-Identifier: BSD-3-Clause

/// Reads the values of a map. Keys are mostly asked for in the order in which they were written.
struct KeyedReader<Key: CodingKey>: KeyedDecodingContainerProtocol {
    private struct Entry {
        let key: UnsafeRawBufferPointer
        let value: Int
    }

    private let decoder: TaskDecoder
    private var entries: [Entry] = []

    init(_ decoder: TaskDecoder) throws {
        self.decoder = decoder
        do throws(CBORError) { try readEntries() } catch { throw decoder.corrupted("\(error)") }
    }

    private mutating func readEntries() throws(CBORError) {
        var reader = decoder.reader
        let head = try reader.head()
        guard head.major == CBOR.Major.map else { throw CBORError(description: "expected a map with keys") }
        try reader.forEach(in: head) { (reader: inout CBORReader) throws(CBORError) in
            let keyHead = try reader.head()
            guard keyHead.major == CBOR.Major.text else { throw CBORError(description: "a key is no text") }
            entries.append(Entry(key: try reader.content(keyHead), value: reader.offset))
            try reader.skip()
        }
    }

    var codingPath: [any CodingKey] { decoder.codingPath }
    var allKeys: [Key] { entries.compactMap { Key(stringValue: String(decoding: $0.key, as: UTF8.self)) } }

    private func find(_ key: Key) -> Int? {
        var name = key.stringValue
        return name.withUTF8 { name in
            let name = UnsafeRawBufferPointer(name)
            for step in 0..<entries.count {
                let index = decoder.nextKey + step
                let entry = entries[index < entries.count ? index : index - entries.count]
                guard entry.key.count == name.count, entry.key.elementsEqual(name) else { continue }
                decoder.nextKey = index + 1 < entries.count ? index + 1 : index + 1 - entries.count
                return entry.value
            }
            return nil
        }
    }

    private func at(_ key: Key) throws -> TaskDecoder {
        guard let offset = find(key) else {
            throw DecodingError.keyNotFound(
                key, .init(codingPath: codingPath, debugDescription: "there is no value for the key \(key.stringValue)"))
        }
        return decoder.at(offset, key)
    }

    private func item(_ key: Key) -> Item? {
        guard let offset = find(key) else { return nil }
        var reader = CBORReader(bytes: decoder.context.bytes, offset: offset)
        return try? Item(&reader)
    }

    // A number is read without a decoder of its own; where it is none, that one says so.
    private func integer<T: FixedWidthInteger>(_ key: Key) throws -> T {
        if let value = item(key)?.integer(T.self) { return value }
        return try at(key).integer(T.self)
    }

    private func double(_ key: Key) throws -> Double {
        if let value = item(key)?.double { return value }
        return try at(key).double()
    }

    func contains(_ key: Key) -> Bool { find(key) != nil }
    func decodeNil(forKey key: Key) throws -> Bool { try at(key).isNull }
    func decode(_ type: Bool.Type, forKey key: Key) throws -> Bool { try at(key).bool() }
    func decode(_ type: String.Type, forKey key: Key) throws -> String { try at(key).string() }
    func decode(_ type: Double.Type, forKey key: Key) throws -> Double { try double(key) }
    func decode(_ type: Float.Type, forKey key: Key) throws -> Float { Float(try double(key)) }
    func decode(_ type: Int.Type, forKey key: Key) throws -> Int { try integer(key) }
    func decode(_ type: Int8.Type, forKey key: Key) throws -> Int8 { try integer(key) }
    func decode(_ type: Int16.Type, forKey key: Key) throws -> Int16 { try integer(key) }
    func decode(_ type: Int32.Type, forKey key: Key) throws -> Int32 { try integer(key) }
    func decode(_ type: Int64.Type, forKey key: Key) throws -> Int64 { try integer(key) }
    func decode(_ type: UInt.Type, forKey key: Key) throws -> UInt { try integer(key) }
    func decode(_ type: UInt8.Type, forKey key: Key) throws -> UInt8 { try integer(key) }
    func decode(_ type: UInt16.Type, forKey key: Key) throws -> UInt16 { try integer(key) }
    func decode(_ type: UInt32.Type, forKey key: Key) throws -> UInt32 { try integer(key) }
    func decode(_ type: UInt64.Type, forKey key: Key) throws -> UInt64 { try integer(key) }
    func decode<T: Decodable>(_ type: T.Type, forKey key: Key) throws -> T { try at(key).value(type) }

    func nestedContainer<Nested: CodingKey>(
        keyedBy type: Nested.Type, forKey key: Key
    ) throws -> KeyedDecodingContainer<Nested> { try at(key).container(keyedBy: type) }

    func nestedUnkeyedContainer(forKey key: Key) throws -> any UnkeyedDecodingContainer { try at(key).unkeyedContainer() }

    func superDecoder() throws -> any Decoder {
        guard let key = Key(stringValue: "super"), let offset = find(key) else {
            return try superDecoderWithoutKey()
        }
        return decoder.at(offset, key)
    }

    func superDecoder(forKey key: Key) throws -> any Decoder { try at(key) }

    /// The usual case: the type's own keys have no "super".
    private func superDecoderWithoutKey() throws -> any Decoder {
        for entry in entries where String(decoding: entry.key, as: UTF8.self) == "super" {
            return decoder.at(entry.value, nil)
        }
        throw decoder.corrupted("there is no value for the key super")
    }
}
