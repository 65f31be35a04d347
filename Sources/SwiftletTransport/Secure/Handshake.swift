// SPDX-License-Identifier: BSD-3-Clause
import SwiftletWire

/// The messages with which both ends of a connection prove that they know its secret (docs/reference/wire-protocol.md,
/// "Authenticated connections"). Pure: nonces come in, messages and keys come out.
enum Handshake {
    /// Seven letters and the version of this layer.
    static let magic: [UInt8] = Array("swiftlt".utf8) + [1]
    static let nonceSize = 32
    static let codeSize = 32
    /// Magic, ticket, nonce.
    static let greetingSize = magic.count + TicketID.size + nonceSize
    /// Magic, nonce, proof.
    static let answerSize = magic.count + nonceSize + codeSize

    private enum Label: String {
        case listenerProof = "listener proves"
        case connectorProof = "connector proves"
        case listenerKey = "listener sends"
        case connectorKey = "connector sends"

        /// 32 bytes, so that no label is the beginning of another message.
        var bytes: [UInt8] { Array(rawValue.utf8) + [UInt8](repeating: 0, count: 32 - rawValue.utf8.count) }
    }

    /// What both ends have said: the ticket and both nonces.
    struct Transcript {
        let secret: SecretKey
        let ticket: TicketID
        let connectorNonce: [UInt8]
        let listenerNonce: [UInt8]

        private func parts(_ label: Label) -> [[UInt8]] { [label.bytes, ticket.bytes, connectorNonce, listenerNonce] }

        /// The listener's answer to the greeting.
        var answer: [UInt8] { magic + listenerNonce + secret.authenticate(parts(.listenerProof)) }
        var connectorProof: [UInt8] { secret.authenticate(parts(.connectorProof)) }

        func isListener(proof: [UInt8]) -> Bool { secret.isAuthentic(proof, for: parts(.listenerProof)) }
        func isConnector(proof: [UInt8]) -> Bool { secret.isAuthentic(proof, for: parts(.connectorProof)) }

        func keys(ofListener: Bool) -> SessionKeys {
            let listener = SecretKey(secret.authenticate(parts(.listenerKey)))!
            let connector = SecretKey(secret.authenticate(parts(.connectorKey)))!
            return ofListener
                ? SessionKeys(sending: listener, receiving: connector) : SessionKeys(sending: connector, receiving: listener)
        }
    }

    /// The connector's first message.
    static func greeting(_ ticket: TicketID, nonce: [UInt8]) -> [UInt8] { magic + ticket.bytes + nonce }

    /// What a greeting names; an error where the other end speaks something else.
    static func readGreeting(_ bytes: [UInt8]) throws(WireError) -> (ticket: TicketID, nonce: [UInt8]) {
        try checkMagic(bytes)
        let rest = bytes.dropFirst(magic.count)
        return (TicketID(bytes: Array(rest.prefix(TicketID.size))), Array(rest.dropFirst(TicketID.size)))
    }

    static func readAnswer(_ bytes: [UInt8]) throws(WireError) -> (nonce: [UInt8], proof: [UInt8]) {
        try checkMagic(bytes)
        let rest = bytes.dropFirst(magic.count)
        return (Array(rest.prefix(nonceSize)), Array(rest.dropFirst(nonceSize)))
    }

    private static func checkMagic(_ bytes: [UInt8]) throws(WireError) {
        guard bytes.starts(with: magic.dropLast()) else { throw WireError("the other end is no part of swiftlet") }
        guard bytes[magic.count - 1] == magic.last else {
            throw WireError("the other end speaks version \(bytes[magic.count - 1]) of authentication, this one \(magic.last!)")
        }
    }
}

/// One key for each direction of one connection, so that nothing can be sent back to who said it.
public struct SessionKeys: Sendable {
    let sending: SecretKey
    let receiving: SecretKey
}
