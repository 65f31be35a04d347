// SPDX-License-Identifier: BSD-3-Clause

/// The types of frames; docs/reference/wire-protocol.md says what each carries.
public enum FrameType: UInt8, Sendable {
    case hello = 1
    case goodbye = 2
    case configure = 3
    case request = 4
    case blob = 5
    case forget = 6
    case submit = 7
    case external = 8
    case resolve = 9
    case cancel = 10
    case release = 11
    case resize = 12
    case shutdown = 13
    case outcome = 14
    case started = 15
    case output = 16
    case outputAck = 17
    case explain = 18
    case explanation = 19
    case status = 20
    case statusIs = 21
    case subscribe = 22
    case event = 23

    case segment = 30
    case seal = 31
    case free = 32
    case reuse = 33
    case retire = 34
    case budget = 35

    case initialize = 40
    case ready = 41
    case initFailed = 42
    case call = 43
    case result = 44
    case recall = 45
    case recalled = 46
    case end = 47

    case groups = 48
    case worker = 49
    case board = 50
    case nudge = 51

    case submitEntry = 80
    case leave = 81
    case left = 82
    case waits = 83

    case describe = 96
    case described = 97
    case render = 98
    case rendered = 99

    case spawn = 60
    case forked = 61
    case spawnFailed = 62
    case exited = 63
    case signal = 64

    case removeAtEnd = 65
    case relay = 66
    case relayAck = 67
    case heartbeat = 68
    case agentSetup = 69
    case look = 72
    case looked = 73
    case dryRun = 70
    case dryRunIs = 71

    case fluxSubmit = 100
    case fluxSubmitted = 101
    case memoryExceeded = 102

    case toRanks = 110
    case rankSaid = 111

    /// How many descriptors come with a frame of this type.
    public var descriptors: Int {
        switch self {
        case .segment, .board: 1
        case .spawn: 3
        default: 0
        }
    }
}

/// The version of the protocol that this engine speaks.
public let protocolVersion: UInt64 = 1

/// The first 16 bytes of a frame.
public struct FrameHeader: Hashable, Sendable {
    public static let size = 16
    public var type: UInt8
    public var flags: UInt8
    public var length: Int
    public var id: UInt64

    public init(type: UInt8, flags: UInt8, length: Int, id: UInt64) {
        self.type = type
        self.flags = flags
        self.length = length
        self.id = id
    }

    public init(_ bytes: UnsafeRawBufferPointer) {
        let word = UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: 0, as: UInt64.self))
        self.init(
            type: UInt8(truncatingIfNeeded: word), flags: UInt8(truncatingIfNeeded: word >> 8), length: Int(word >> 16),
            id: UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: 8, as: UInt64.self)))
    }

    /// The first of the two words as it stands on the wire.
    var word: UInt64 { UInt64(length) << 16 | UInt64(flags) << 8 | UInt64(type) }
}
