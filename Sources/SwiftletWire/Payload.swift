// SPDX-License-Identifier: BSD-3-Clause

/// A payload as it stands on the wire. The engine reads only where its parts are, never what they say.
public struct Payload: Sendable {
    /// The encoded payload, empty where there is none.
    public let bytes: [UInt8]

    /// A part that lies in a segment.
    public struct SegmentPart: Hashable, Sendable {
        public let segment: UInt64
        public let length: UInt64

        @inlinable public init(segment: UInt64, length: UInt64) {
            self.segment = segment
            self.length = length
        }
    }

    public init(bytes: [UInt8]) { self.bytes = bytes }

    /// No parts.
    public static let none = Payload(bytes: [0, 0])

    /// One inline part.
    public init(inline part: some Collection<UInt8>) {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(11 + part.count)
        Self.append(inline: part, to: &bytes)
        self.bytes = bytes
    }

    /// Writes a payload of one inline part.
    @inlinable public static func append(inline part: some Collection<UInt8>, to bytes: inout [UInt8]) {
        bytes.append(integer: UInt16(1))
        bytes.append(0)
        bytes.append(integer: UInt64(part.count))
        bytes.append(contentsOf: part)
    }

    /// Passes over a payload and returns the bytes it takes; calls `part` for each part that lies in a segment.
    @inlinable public static func scan(
        _ reader: inout ByteReader, segmentPart: (SegmentPart) -> Void
    ) throws(WireError) {
        for _ in 0..<(try reader.integer(UInt16.self)) {
            switch try reader.integer(UInt8.self) {
            case 0: _ = try reader.slice(reader.integer(UInt64.self))
            case 1:
                let segment: UInt64 = try reader.integer()
                let _: UInt64 = try reader.integer()  // offset
                segmentPart(SegmentPart(segment: segment, length: try reader.integer()))
            case let place: throw WireError("payload part lies in the unknown place \(place)")
            }
        }
    }

    /// Where one part's bytes are.
    public enum Part {
        case inline(UnsafeRawBufferPointer)
        case segment(UInt64, offset: UInt64, length: UInt64)
    }

    /// Passes over a payload and calls `body` for each part in turn.
    public static func forEachPart(_ reader: inout ByteReader, _ body: (Part) throws(WireError) -> Void) throws(WireError) {
        for _ in 0..<(try reader.integer(UInt16.self)) {
            switch try reader.integer(UInt8.self) {
            case 0: try body(.inline(try reader.slice(reader.integer(UInt64.self))))
            case 1:
                let segment: UInt64 = try reader.integer()
                let offset: UInt64 = try reader.integer()
                try body(.segment(segment, offset: offset, length: try reader.integer()))
            case let place: throw WireError("payload part lies in the unknown place \(place)")
            }
        }
    }

    /// Appends a payload with all its parts inline. `read` appends the bytes of a part in a segment, or says that they are not there.
    /// - Throws: `WireError` where the payload does not parse or a part is not there; `output` is then of no use.
    public static func appendInlined(
        _ reader: inout ByteReader, to output: inout [UInt8],
        read: (_ segment: UInt64, _ offset: UInt64, _ length: UInt64, _ output: inout [UInt8]) -> Bool
    ) throws(WireError) {
        let count: UInt16 = try reader.integer()
        output.append(integer: count)
        for _ in 0..<count {
            output.append(0)
            switch try reader.integer(UInt8.self) {
            case 0:
                let bytes = try reader.slice(reader.integer(UInt64.self))
                output.append(integer: UInt64(bytes.count))
                output.append(contentsOf: bytes)
            case 1:
                let segment: UInt64 = try reader.integer()
                let offset: UInt64 = try reader.integer()
                let length: UInt64 = try reader.integer()
                output.append(integer: length)
                guard read(segment, offset, length, &output) else { throw WireError("segment \(segment) cannot be read") }
            case let place: throw WireError("payload part lies in the unknown place \(place)")
            }
        }
    }

    /// Parts that all lie inline.
    public init(inlineParts parts: [some Collection<UInt8>]) {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(2 + parts.reduce(0) { $0 + 9 + $1.count })
        bytes.append(integer: UInt16(parts.count))
        for part in parts {
            bytes.append(0)
            bytes.append(integer: UInt64(part.count))
            bytes.append(contentsOf: part)
        }
        self.bytes = bytes
    }

    /// The bytes of a payload of one inline part, not copied; nil where it is not that.
    public static func onlyInlinePart(_ reader: inout ByteReader) throws(WireError) -> UnsafeRawBufferPointer? {
        guard try reader.integer(UInt16.self) == 1, try reader.integer(UInt8.self) == 0 else { return nil }
        return try reader.slice(reader.integer(UInt64.self))
    }

    /// The parts of an inline payload; nil where one lies in a segment.
    public static func inlineParts(_ reader: inout ByteReader) throws(WireError) -> [[UInt8]]? {
        var parts: [[UInt8]] = []
        for _ in 0..<(try reader.integer(UInt16.self)) {
            guard try reader.integer(UInt8.self) == 0 else { return nil }
            parts.append(Array(try reader.slice(reader.integer(UInt64.self))))
        }
        return parts
    }
}
