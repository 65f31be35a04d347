// SPDX-License-Identifier: BSD-3-Clause

/// Reads the values of an array, or the numbers of an array that travelled as memory.
struct UnkeyedReader: UnkeyedDecodingContainer {
    private enum Source {
        case items(reader: CBORReader, left: UInt64?)
        case numbers(TypedArray)
    }

    private let decoder: TaskDecoder
    private var source: Source
    private(set) var currentIndex = 0
    private(set) var isAtEnd = false

    init(_ decoder: TaskDecoder) throws {
        self.decoder = decoder
        do throws(CBORError) { source = try Self.open(decoder) } catch { throw decoder.corrupted("\(error)") }
        try lookForEnd()
    }

    private static func open(_ decoder: TaskDecoder) throws(CBORError) -> Source {
        var numbers = decoder.reader
        if let array = try TypedArray(&numbers) { return .numbers(array) }
        var reader = decoder.reader
        let head = try reader.head()
        guard head.major == CBOR.Major.array else { throw CBORError(description: "expected an array") }
        return .items(reader: reader, left: head.isOpen ? nil : head.argument)
    }

    var codingPath: [any CodingKey] { decoder.codingPath }

    var count: Int? {
        switch source {
        case .items(_, let left): left.map { currentIndex + Int(clamping: $0) }
        case .numbers(let array): array.count
        }
    }

    private mutating func lookForEnd() throws {
        switch source {
        case .numbers(let array): isAtEnd = currentIndex == array.count
        case .items(var reader, let left):
            if let left {
                isAtEnd = left == 0
            } else {
                do throws(CBORError) { isAtEnd = try reader.atEnd() } catch { throw decoder.corrupted("\(error)") }
            }
        }
    }

    /// Reads the next value; where that fails, it is still the next.
    private mutating func next<T>(_ read: (TaskDecoder) throws -> T, _ convert: (Item) -> T?) throws -> T {
        let key = IndexKey(currentIndex)
        guard !isAtEnd else {
            throw DecodingError.valueNotFound(
                T.self, .init(codingPath: codingPath + [key], debugDescription: "the array has no further value"))
        }
        switch source {
        case .numbers(let array):
            let item = array.item(at: currentIndex)
            guard let value = convert(item) else { throw decoder.at(decoder.offset, key).mismatch(T.self, found: item.kind) }
            try advance()
            return value
        case .items(var reader, let left):
            let value = try read(decoder.at(reader.offset, key))
            do throws(CBORError) { try reader.skip() } catch { throw decoder.corrupted("\(error)") }
            source = .items(reader: reader, left: left.map { $0 - 1 })
            try advance()
            return value
        }
    }

    private mutating func advance() throws {
        currentIndex += 1
        try lookForEnd()
    }

    private mutating func integer<T: FixedWidthInteger>(_ type: T.Type) throws -> T {
        try next({ try $0.integer(type) }, { $0.integer(type) })
    }

    mutating func decodeNil() throws -> Bool {
        guard !isAtEnd, case .items(let reader, _) = source, decoder.at(reader.offset, nil).isNull else { return false }
        return try next({ _ in true }, { _ in nil })
    }

    mutating func decode(_ type: Bool.Type) throws -> Bool { try next({ try $0.bool() }, { _ in nil }) }
    mutating func decode(_ type: String.Type) throws -> String { try next({ try $0.string() }, { _ in nil }) }
    mutating func decode(_ type: Double.Type) throws -> Double { try next({ try $0.double() }, { $0.double }) }
    mutating func decode(_ type: Float.Type) throws -> Float { Float(try decode(Double.self)) }
    mutating func decode(_ type: Int.Type) throws -> Int { try integer(type) }
    mutating func decode(_ type: Int8.Type) throws -> Int8 { try integer(type) }
    mutating func decode(_ type: Int16.Type) throws -> Int16 { try integer(type) }
    mutating func decode(_ type: Int32.Type) throws -> Int32 { try integer(type) }
    mutating func decode(_ type: Int64.Type) throws -> Int64 { try integer(type) }
    mutating func decode(_ type: UInt.Type) throws -> UInt { try integer(type) }
    mutating func decode(_ type: UInt8.Type) throws -> UInt8 { try integer(type) }
    mutating func decode(_ type: UInt16.Type) throws -> UInt16 { try integer(type) }
    mutating func decode(_ type: UInt32.Type) throws -> UInt32 { try integer(type) }
    mutating func decode(_ type: UInt64.Type) throws -> UInt64 { try integer(type) }

    mutating func decode<T: Decodable>(_ type: T.Type) throws -> T {
        // Where an array of numbers is read one by one, by a type that is not the array's own.
        let single: (Item) -> T? = { item in
            guard let number = T.self as? any ArrayNumber.Type else { return nil }
            switch item {
            case .integer(let value): return number.from(integer: value) as? T
            case .number(let value): return number.from(number: value) as? T
            case .unsigned(let value): return (Int64(exactly: value).flatMap { number.from(integer: $0) } ?? nil) as? T
            default: return nil
            }
        }
        return try next({ try $0.value(type) }, single)
    }

    mutating func nestedContainer<Nested: CodingKey>(keyedBy type: Nested.Type) throws -> KeyedDecodingContainer<Nested> {
        try next({ try $0.container(keyedBy: type) }, { _ in nil })
    }

    mutating func nestedUnkeyedContainer() throws -> any UnkeyedDecodingContainer {
        try next({ try $0.unkeyedContainer() }, { _ in nil })
    }

    mutating func superDecoder() throws -> any Decoder { try next({ $0 }, { _ in nil }) }
}
