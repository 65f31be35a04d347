// SPDX-License-Identifier: BSD-3-Clause

/// One message of Flux's protocol (RFC 3).
public struct FluxMessage: Hashable, Sendable {
    public enum Kind: UInt8, Sendable {
        case request = 1
        case response = 2
        case event = 4
        case control = 8
    }

    /// What the message carries and wants.
    public struct Flags: OptionSet, Hashable, Sendable {
        public let rawValue: UInt8
        public init(rawValue: UInt8) { self.rawValue = rawValue }
        public static let topic = Flags(rawValue: 1)
        public static let payload = Flags(rawValue: 2)
        public static let noResponse = Flags(rawValue: 4)
        public static let route = Flags(rawValue: 8)
        public static let streaming = Flags(rawValue: 0x40)
    }

    public static let anyNode: UInt32 = 0xffff_ffff

    public var kind: Kind
    public var flags: Flags
    public var topic: String
    /// Without the NUL that ends it on the wire; nil where there is none.
    public var payload: [UInt8]?
    public var userID: UInt32
    public var roleMask: UInt32
    /// A request: the broker's rank, or `anyNode`. A response: errno, 0 for success.
    public var nodeOrError: UInt32
    /// Chosen by who asks, echoed by who answers.
    public var matchTag: UInt32

    public init(
        kind: Kind, flags: Flags = [], topic: String = "", payload: [UInt8]? = nil, userID: UInt32 = .max, roleMask: UInt32 = 0,
        nodeOrError: UInt32 = FluxMessage.anyNode, matchTag: UInt32 = 0
    ) {
        self.kind = kind
        self.flags = flags
        self.topic = topic
        self.payload = payload
        self.userID = userID
        self.roleMask = roleMask
        self.nodeOrError = nodeOrError
        self.matchTag = matchTag
    }

    /// A request for a service; `streaming` where many answers are wanted.
    public static func request(
        _ topic: String, _ payload: JSON?, matchTag: UInt32, streaming: Bool = false, node: UInt32 = anyNode
    ) -> FluxMessage {
        var flags: Flags = [.topic, .route]
        if payload != nil { flags.insert(.payload) }
        if streaming { flags.insert(.streaming) }
        return FluxMessage(
            kind: .request, flags: flags, topic: topic, payload: payload?.utf8, nodeOrError: node, matchTag: matchTag)
    }

    /// The answer to a request; `error` is an errno.
    public static func response(to request: FluxMessage, _ payload: JSON?, error: UInt32 = 0) -> FluxMessage {
        var flags: Flags = [.topic, .route]
        if payload != nil { flags.insert(.payload) }
        if request.flags.contains(.streaming) { flags.insert(.streaming) }
        return FluxMessage(
            kind: .response, flags: flags, topic: request.topic, payload: payload?.utf8, userID: 0, roleMask: 1,
            nodeOrError: error, matchTag: request.matchTag)
    }
}

/// Bytes that are no message of Flux.
public struct FluxProtocolError: Error, Hashable, Sendable, CustomStringConvertible {
    public let description: String
    public init(_ description: String) { self.description = description }
}

extension FluxMessage {
    private static let magic: [UInt8] = [0x12, 0x00, 0xee, 0xff]  // 0xffee0012 in the byte order of x86 and ARM
    private static let protoMagic: UInt8 = 0x8e
    private static let version: UInt8 = 1
    static let protoSize = 20
    /// Longer messages are refused: nothing a client asks for comes near.
    static let longest = 256 << 20

    /// The message as it stands on a stream socket.
    public var bytes: [UInt8] {
        var body: [UInt8] = []
        if flags.contains(.route) { Self.append(frame: [], to: &body) }
        if flags.contains(.topic) { Self.append(frame: Array(topic.utf8), to: &body) }
        if flags.contains(.payload) { Self.append(frame: (payload ?? []) + [0], to: &body) }
        var proto: [UInt8] = [Self.protoMagic, Self.version, kind.rawValue, flags.rawValue]
        for word in [userID, roleMask, nodeOrError, matchTag] { Self.append(bigEndian: word, to: &proto) }
        Self.append(frame: proto, to: &body)
        var bytes = Self.magic
        Self.append(bigEndian: UInt32(body.count), to: &bytes)
        return bytes + body
    }

    private static func append(bigEndian value: UInt32, to bytes: inout [UInt8]) {
        withUnsafeBytes(of: value.bigEndian) { bytes.append(contentsOf: $0) }
    }

    private static func append(frame: [UInt8], to bytes: inout [UInt8]) {
        if frame.count < 255 {
            bytes.append(UInt8(frame.count))
        } else {
            bytes.append(255)
            append(bigEndian: UInt32(frame.count), to: &bytes)
        }
        bytes.append(contentsOf: frame)
    }

    /// How many bytes the message at the front of `bytes` takes; nil while its first eight bytes are not there.
    static func length(atFrontOf bytes: ArraySlice<UInt8>) throws(FluxProtocolError) -> Int? {
        guard bytes.count >= 8 else { return nil }
        let start = bytes.startIndex
        guard Array(bytes[start..<start + 4]) == magic else {
            throw FluxProtocolError("the other end does not speak Flux's protocol on this machine's byte order")
        }
        let length = Int(word(bytes[(start + 4)...]))
        guard length <= longest else { throw FluxProtocolError("a message of \(length) bytes") }
        return length + 8
    }

    private static func word(_ bytes: ArraySlice<UInt8>) -> UInt32 {
        bytes.prefix(4).reduce(0) { $0 << 8 | UInt32($1) }
    }

    /// Reads the body of a message: what follows the eight bytes of its header.
    init(body: ArraySlice<UInt8>) throws(FluxProtocolError) {
        var frames: [ArraySlice<UInt8>] = []
        var rest = body
        while !rest.isEmpty {
            var length = Int(rest.removeFirst())
            if length == 255 {
                guard rest.count >= 4 else { throw FluxProtocolError("a message that ends within a length") }
                length = Int(Self.word(rest))
                rest = rest.dropFirst(4)
            }
            guard length <= rest.count else {
                throw FluxProtocolError("a frame of \(length) bytes in a message that has \(rest.count)")
            }
            guard frames.count < 64 else { throw FluxProtocolError("a message of more than 64 frames") }
            frames.append(rest.prefix(length))
            rest = rest.dropFirst(length)
        }
        guard let proto = frames.popLast(), proto.count == Self.protoSize else {
            throw FluxProtocolError("a message without its closing frame")
        }
        let start = proto.startIndex
        guard proto[start] == Self.protoMagic, proto[start + 1] == Self.version, let kind = Kind(rawValue: proto[start + 2])
        else {
            throw FluxProtocolError("a message of version \(proto[start + 1]) and type \(proto[start + 2])")
        }
        let flags = Flags(rawValue: proto[start + 3])
        var payload: [UInt8]?
        if flags.contains(.payload) {
            guard let frame = frames.popLast() else { throw FluxProtocolError("a message without the payload it announces") }
            payload = frame.last == 0 ? Array(frame.dropLast()) : Array(frame)
        }
        var topic = ""
        if flags.contains(.topic) {
            guard let frame = frames.popLast() else { throw FluxProtocolError("a message without the topic it announces") }
            topic = String(decoding: frame.last == 0 ? frame.dropLast() : frame, as: UTF8.self)
        }
        let words = stride(from: start + 4, to: start + Self.protoSize, by: 4).map { Self.word(proto[$0...]) }
        self.init(
            kind: kind, flags: flags, topic: topic, payload: payload, userID: words[0], roleMask: words[1],
            nodeOrError: words[2], matchTag: words[3])
    }
}

/// Collects what arrives and hands out complete messages. It grows with the bytes that arrive, never by what they claim.
public struct FluxInbox: Sendable {
    private var bytes: [UInt8] = []
    private var start = 0

    public init() {}

    public mutating func append(_ received: some Sequence<UInt8>) { bytes.append(contentsOf: received) }

    /// The next message; nil while it is not complete.
    public mutating func next() throws(FluxProtocolError) -> FluxMessage? {
        guard let length = try FluxMessage.length(atFrontOf: bytes[start...]), bytes.count - start >= length else {
            if start > 0 {
                bytes.removeFirst(start)
                start = 0
            }
            return nil
        }
        defer { start += length }
        return try FluxMessage(body: bytes[(start + 8)..<(start + length)])
    }
}
