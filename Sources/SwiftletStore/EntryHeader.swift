// SPDX-License-Identifier: BSD-3-Clause
import FoundationEssentials

/// What an entry says about itself, as JSON for everybody to read (docs/reference/store-format.md).
/// Members that a reader does not know are ignored.
public struct EntryHeader: Codable, Hashable, Sendable {
    /// A part of the payload: its name and its length in bytes. Parts lie one after the other, in this order.
    public struct Part: Codable, Hashable, Sendable {
        public var name: String
        public var length: Int

        public init(name: String, length: Int) {
            self.name = name
            self.length = length
        }
    }

    /// How a task ended; for outcomes.
    public enum Kind: String, Codable, Sendable {
        case value
        /// The call raised an error, which is in the payload.
        case error
        /// The call's process died; `reason` says how.
        case lost
        /// It ran longer than it was allowed to.
        case timeLimit = "time limit"
    }

    /// The entry's name below its directory; it has to be the one it was looked up by.
    public var key: String
    public var kind: Kind?
    public var reason: String?
    /// The function's name, for humans.
    public var function: String?
    /// Keys of the entries whose values stand for inputs 0, 1, … in the arguments; an absolute path where they lie elsewhere.
    public var inputs: [String]?
    public var parts: [Part]
    /// What the call asked for.
    public var resources: [String: HeaderValue]?
    /// Who made this outcome, where, when and with what.
    public var provenance: [String: HeaderValue]?

    public init(
        key: String, kind: Kind? = nil, reason: String? = nil, function: String? = nil, inputs: [String]? = nil,
        parts: [Part] = [], resources: [String: HeaderValue]? = nil, provenance: [String: HeaderValue]? = nil
    ) {
        self.key = key
        self.kind = kind
        self.reason = reason
        self.function = function
        self.inputs = inputs
        self.parts = parts
        self.resources = resources
        self.provenance = provenance
    }
}

/// The members of a header that tell what an entry is; the others take most of the time of a small one's reading.
struct EntryEssentials: Decodable {
    let key: String
    let kind: EntryHeader.Kind?
    let reason: String?
    let parts: [EntryHeader.Part]

    var header: EntryHeader { EntryHeader(key: key, kind: kind, reason: reason, parts: parts) }
}

/// A value in a header that no code here depends on.
public enum HeaderValue: Codable, Hashable, Sendable {
    case null
    case flag(Bool)
    case integer(Int)
    case number(Double)
    case text(String)
    case list([HeaderValue])
    case members([String: HeaderValue])

    public init(from decoder: any Decoder) throws {
        // A wrong guess costs more than a right one: what is most frequent comes first.
        let container = try decoder.singleValueContainer()
        if let value = try? container.decode(String.self) {
            self = .text(value)
        } else if let value = try? container.decode(Int.self) {
            self = .integer(value)
        } else if let value = try? container.decode(Double.self) {
            self = .number(value)
        } else if container.decodeNil() {
            self = .null
        } else if let value = try? container.decode(Bool.self) {
            self = .flag(value)
        } else if let value = try? container.decode([HeaderValue].self) {
            self = .list(value)
        } else {
            self = .members(try container.decode([String: HeaderValue].self))
        }
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        switch self {
        case .null: try container.encodeNil()
        case .flag(let value): try container.encode(value)
        case .integer(let value): try container.encode(value)
        case .number(let value): try container.encode(value)
        case .text(let value): try container.encode(value)
        case .list(let value): try container.encode(value)
        case .members(let value): try container.encode(value)
        }
    }
}

extension HeaderValue {
    /// As JSON; nil for numbers that it does not have.
    public var json: String? { (try? JSONEncoder().encode(self)).map { String(decoding: $0, as: UTF8.self) } }

    /// The members of a JSON object; nil where the text is none.
    public static func members(ofJSON text: String) -> [String: HeaderValue]? {
        guard case .members(let members)? = try? JSONDecoder().decode(HeaderValue.self, from: Data(text.utf8)) else { return nil }
        return members
    }
}
