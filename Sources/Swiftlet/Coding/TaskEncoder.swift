// SPDX-License-Identifier: BSD-3-Clause

/// Where encoders write. Nested containers that stay open while their parent goes on get a place of their own, which is put in at
/// the end; everything else is written straight through.
final class EncodingBuffer {
    var bytes: [UInt8] = []
    private var detached: [(offset: Int, encoder: TaskEncoder)] = []

    func detach(inputs: InputCollector?) -> TaskEncoder {
        let encoder = TaskEncoder(buffer: EncodingBuffer(), inputs: inputs)
        detached.append((bytes.count, encoder))
        return encoder
    }

    func assembled() -> [UInt8] {
        guard !detached.isEmpty else { return bytes }
        var whole: [UInt8] = []
        var start = 0
        for (offset, encoder) in detached {
            whole += bytes[start..<offset]
            whole += encoder.finished()
            start = offset
        }
        return whole + bytes[start...]
    }
}

/// Gathers the handles that stand in a task as inputs.
final class InputCollector {
    private(set) var calls: [PendingCall] = []

    /// The place of the call's value among the inputs that the worker is given.
    func place(of call: PendingCall) -> Int {
        if let known = calls.firstIndex(where: { $0 === call }) { return known }
        calls.append(call)
        return calls.count - 1
    }
}

/// Writes one value as CBOR.
final class TaskEncoder: Encoder {
    private enum State { case empty, single, keyed, unkeyed }

    let buffer: EncodingBuffer
    let inputs: InputCollector?
    private var state = State.empty
    var codingPath: [any CodingKey] { [] }
    var userInfo: [CodingUserInfoKey: Any] { [:] }

    init(buffer: EncodingBuffer, inputs: InputCollector?) {
        self.buffer = buffer
        self.inputs = inputs
    }

    func container<Key: CodingKey>(keyedBy type: Key.Type) -> KeyedEncodingContainer<Key> {
        KeyedEncodingContainer(openKeyed(Key.self))
    }

    func openKeyed<Key: CodingKey>(_ type: Key.Type) -> KeyedWriter<Key> {
        open(.keyed, with: CBOR.openMap)
        return KeyedWriter(encoder: self)
    }

    func unkeyedContainer() -> any UnkeyedEncodingContainer { openUnkeyed() }

    func openUnkeyed() -> UnkeyedWriter {
        open(.unkeyed, with: CBOR.openArray)
        return UnkeyedWriter(encoder: self)
    }

    func singleValueContainer() -> any SingleValueEncodingContainer {
        open(.single, with: nil)
        return SingleWriter(encoder: self)
    }

    private func open(_ new: State, with head: UInt8?) {
        if state == new { return }
        precondition(state == .empty, "a value asked for two kinds of container to be encoded in")
        state = new
        if let head { buffer.bytes.append(head) }
    }

    /// The value is complete.
    func close() {
        switch state {
        case .empty: buffer.bytes.append(CBOR.emptyMap)
        case .single: break
        case .keyed, .unkeyed: buffer.bytes.append(CBOR.end)
        }
    }

    func finished() -> [UInt8] {
        close()
        return buffer.assembled()
    }

    @inline(__always)
    func write<T: Encodable>(_ value: T) throws {
        // What is most frequent does not take the way through the type's own containers.
        if T.self == Int.self { return buffer.bytes.append(cborInteger: Int64(unsafeBitCast(value, to: Int.self))) }
        if T.self == Double.self { return buffer.bytes.append(cbor: unsafeBitCast(value, to: Double.self)) }
        if NumberArrays.encode(value, to: &buffer.bytes) { return }
        let encoder = TaskEncoder(buffer: buffer, inputs: inputs)
        try value.encode(to: encoder)
        encoder.close()
    }
}

extension [UInt8] {
    mutating func append(cborUnsigned value: UInt64) { append(cbor: CBOR.Major.unsigned, value) }
    mutating func append(cbor value: Bool) { append(value ? CBOR.true : CBOR.false) }
}

struct KeyedWriter<Key: CodingKey>: KeyedEncodingContainerProtocol {
    let encoder: TaskEncoder
    var codingPath: [any CodingKey] { [] }

    @inline(__always)
    private func key(_ key: Key, _ write: (inout [UInt8]) -> Void) {
        encoder.buffer.bytes.append(cbor: key.stringValue)
        write(&encoder.buffer.bytes)
    }

    func encodeNil(forKey key: Key) { self.key(key) { $0.append(CBOR.null) } }
    func encode(_ value: Bool, forKey key: Key) { self.key(key) { $0.append(cbor: value) } }
    func encode(_ value: String, forKey key: Key) { self.key(key) { $0.append(cbor: value) } }
    func encode(_ value: Double, forKey key: Key) { self.key(key) { $0.append(cbor: value) } }
    func encode(_ value: Float, forKey key: Key) { self.key(key) { $0.append(cbor: value) } }
    func encode(_ value: Int, forKey key: Key) { self.key(key) { $0.append(cborInteger: Int64(value)) } }
    func encode(_ value: Int8, forKey key: Key) { self.key(key) { $0.append(cborInteger: Int64(value)) } }
    func encode(_ value: Int16, forKey key: Key) { self.key(key) { $0.append(cborInteger: Int64(value)) } }
    func encode(_ value: Int32, forKey key: Key) { self.key(key) { $0.append(cborInteger: Int64(value)) } }
    func encode(_ value: Int64, forKey key: Key) { self.key(key) { $0.append(cborInteger: value) } }
    func encode(_ value: UInt, forKey key: Key) { self.key(key) { $0.append(cborUnsigned: UInt64(value)) } }
    func encode(_ value: UInt8, forKey key: Key) { self.key(key) { $0.append(cborUnsigned: UInt64(value)) } }
    func encode(_ value: UInt16, forKey key: Key) { self.key(key) { $0.append(cborUnsigned: UInt64(value)) } }
    func encode(_ value: UInt32, forKey key: Key) { self.key(key) { $0.append(cborUnsigned: UInt64(value)) } }
    func encode(_ value: UInt64, forKey key: Key) { self.key(key) { $0.append(cborUnsigned: value) } }

    func encode<T: Encodable>(_ value: T, forKey key: Key) throws {
        self.key(key) { _ in }
        try encoder.write(value)
    }

    func nestedContainer<Nested: CodingKey>(
        keyedBy keyType: Nested.Type, forKey key: Key
    ) -> KeyedEncodingContainer<Nested> { detached(forKey: key).container(keyedBy: keyType) }

    func nestedUnkeyedContainer(forKey key: Key) -> any UnkeyedEncodingContainer { detached(forKey: key).unkeyedContainer() }

    func superEncoder() -> any Encoder {
        encoder.buffer.bytes.append(cbor: "super")
        return encoder.buffer.detach(inputs: encoder.inputs)
    }

    func superEncoder(forKey key: Key) -> any Encoder { detached(forKey: key) }

    private func detached(forKey key: Key) -> TaskEncoder {
        self.key(key) { _ in }
        return encoder.buffer.detach(inputs: encoder.inputs)
    }
}

struct UnkeyedWriter: UnkeyedEncodingContainer {
    let encoder: TaskEncoder
    private(set) var count = 0
    var codingPath: [any CodingKey] { [] }

    init(encoder: TaskEncoder) { self.encoder = encoder }

    private mutating func item(_ write: (inout [UInt8]) -> Void) {
        count += 1
        write(&encoder.buffer.bytes)
    }

    mutating func encodeNil() { item { $0.append(CBOR.null) } }
    mutating func encode(_ value: Bool) { item { $0.append(cbor: value) } }
    mutating func encode(_ value: String) { item { $0.append(cbor: value) } }
    mutating func encode(_ value: Double) { item { $0.append(cbor: value) } }
    mutating func encode(_ value: Float) { item { $0.append(cbor: value) } }
    mutating func encode(_ value: Int) { item { $0.append(cborInteger: Int64(value)) } }
    mutating func encode(_ value: Int8) { item { $0.append(cborInteger: Int64(value)) } }
    mutating func encode(_ value: Int16) { item { $0.append(cborInteger: Int64(value)) } }
    mutating func encode(_ value: Int32) { item { $0.append(cborInteger: Int64(value)) } }
    mutating func encode(_ value: Int64) { item { $0.append(cborInteger: value) } }
    mutating func encode(_ value: UInt) { item { $0.append(cborUnsigned: UInt64(value)) } }
    mutating func encode(_ value: UInt8) { item { $0.append(cborUnsigned: UInt64(value)) } }
    mutating func encode(_ value: UInt16) { item { $0.append(cborUnsigned: UInt64(value)) } }
    mutating func encode(_ value: UInt32) { item { $0.append(cborUnsigned: UInt64(value)) } }
    mutating func encode(_ value: UInt64) { item { $0.append(cborUnsigned: value) } }

    mutating func encode<T: Encodable>(_ value: T) throws {
        count += 1
        try encoder.write(value)
    }

    mutating func nestedContainer<Nested: CodingKey>(keyedBy keyType: Nested.Type) -> KeyedEncodingContainer<Nested> {
        detached().container(keyedBy: keyType)
    }

    mutating func nestedUnkeyedContainer() -> any UnkeyedEncodingContainer { detached().unkeyedContainer() }
    mutating func superEncoder() -> any Encoder { detached() }

    private mutating func detached() -> TaskEncoder {
        count += 1
        return encoder.buffer.detach(inputs: encoder.inputs)
    }
}

struct SingleWriter: SingleValueEncodingContainer {
    let encoder: TaskEncoder
    var codingPath: [any CodingKey] { [] }

    func encodeNil() { encoder.buffer.bytes.append(CBOR.null) }
    func encode(_ value: Bool) { encoder.buffer.bytes.append(cbor: value) }
    func encode(_ value: String) { encoder.buffer.bytes.append(cbor: value) }
    func encode(_ value: Double) { encoder.buffer.bytes.append(cbor: value) }
    func encode(_ value: Float) { encoder.buffer.bytes.append(cbor: value) }
    func encode(_ value: Int) { encoder.buffer.bytes.append(cborInteger: Int64(value)) }
    func encode(_ value: Int8) { encoder.buffer.bytes.append(cborInteger: Int64(value)) }
    func encode(_ value: Int16) { encoder.buffer.bytes.append(cborInteger: Int64(value)) }
    func encode(_ value: Int32) { encoder.buffer.bytes.append(cborInteger: Int64(value)) }
    func encode(_ value: Int64) { encoder.buffer.bytes.append(cborInteger: value) }
    func encode(_ value: UInt) { encoder.buffer.bytes.append(cborUnsigned: UInt64(value)) }
    func encode(_ value: UInt8) { encoder.buffer.bytes.append(cborUnsigned: UInt64(value)) }
    func encode(_ value: UInt16) { encoder.buffer.bytes.append(cborUnsigned: UInt64(value)) }
    func encode(_ value: UInt32) { encoder.buffer.bytes.append(cborUnsigned: UInt64(value)) }
    func encode(_ value: UInt64) { encoder.buffer.bytes.append(cborUnsigned: value) }
    func encode<T: Encodable>(_ value: T) throws { try encoder.write(value) }
}
