// SPDX-License-Identifier: BSD-3-Clause

/// Which of the connections that a listener expects somebody wants to be; not secret.
public struct TicketID: Hashable, Sendable {
    static let size = 16
    let bytes: [UInt8]
}

/// Where a listener is reached.
public enum ListenerAddress: Hashable, Sendable, CustomStringConvertible {
    /// A numeric IPv4 or IPv6 address and a port.
    case tcp(String, port: Int)
    case unix(String)

    public var description: String {
        switch self {
        case .tcp(let host, let port): "tcp:\(port):\(host)"
        case .unix(let path): "unix:\(path)"
        }
    }

    /// Reads what `description` wrote.
    public init?(_ text: some StringProtocol) {
        if text.hasPrefix("unix:") {
            self = .unix(String(text.dropFirst(5)))
            return
        }
        let fields = text.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
        guard fields.count == 3, fields[0] == "tcp", let port = Int(fields[1]), (1...65535).contains(port), !fields[2].isEmpty
        else { return nil }
        self = .tcp(String(fields[2]), port: port)
    }
}

/// What somebody needs to connect: where to, who to be, and the secret. It travels by descriptor, standard input or a 0600 file,
/// never by command line or environment.
public struct Ticket: Sendable {
    public let address: ListenerAddress
    public let id: TicketID
    public let secret: SecretKey
    /// Where the listener is reached as well, by who runs on its host.
    public let near: ListenerAddress?

    /// One line: `swiftlet-ticket ID SECRET ADDRESS [NEAR]`, numbers in hexadecimal.
    public var line: String {
        let places = [address, near].compactMap { $0?.description }.joined(separator: " ")
        return "swiftlet-ticket \(hexadecimal(id.bytes)) \(hexadecimal(secret.bytes)) \(places)\n"
    }

    init(address: ListenerAddress, near: ListenerAddress? = nil, id: TicketID, secret: SecretKey) {
        self.address = address
        self.near = near
        self.id = id
        self.secret = secret
    }

    /// Reads a line that `line` wrote.
    public init?(line: some StringProtocol) {
        let text = line.hasSuffix("\n") ? line.dropLast() : line[...]
        let fields = text.split(separator: " ", maxSplits: 3)
        guard fields.count == 4, fields[0] == "swiftlet-ticket", let id = bytes(hexadecimal: fields[1]),
            id.count == TicketID.size,
            let secret = bytes(hexadecimal: fields[2]).flatMap({ SecretKey($0) })
        else { return nil }
        // A path may have spaces, the address of a host has none.
        let places = fields[3].hasPrefix("tcp:") ? fields[3].split(separator: " ", maxSplits: 1) : [fields[3]]
        guard let address = ListenerAddress(places[0]) else { return nil }
        let near = places.count > 1 ? ListenerAddress(places[1]) : nil
        guard places.count == 1 || near != nil else { return nil }
        self.init(address: address, near: near, id: TicketID(bytes: id), secret: secret)
    }
}

private func hexadecimal(_ bytes: [UInt8]) -> String {
    let digits = Array("0123456789abcdef".utf8)
    return String(decoding: bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }, as: UTF8.self)
}

private func bytes(hexadecimal text: some StringProtocol) -> [UInt8]? {
    let digits = text.utf8.map { digit -> UInt8? in
        switch digit {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): digit - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): digit - UInt8(ascii: "a") + 10
        default: nil
        }
    }
    guard digits.count % 2 == 0, !digits.contains(nil) else { return nil }
    return stride(from: 0, to: digits.count, by: 2).map { digits[$0]! << 4 | digits[$0 + 1]! }
}
