// SPDX-License-Identifier: BSD-3-Clause
import CSwiftlet
import Glibc

/// The end that connects.
public enum SecureConnector {
    /// Connects with a ticket and proves both ends, waiting at most `timeout` milliseconds for each step. What is said to be near is
    /// tried first: where nobody answers there who knows the secret, this is another host.
    /// - Throws: `SystemError` that names the address and says what did not work.
    public static func connect(_ ticket: Ticket, timeout: Int32 = 30_000) throws(SystemError) -> AuthenticatedSocket {
        if let near = ticket.near, let socket = try? connect(ticket, at: near, timeout: min(timeout, nearTimeout)) {
            return socket
        }
        return try connect(ticket, at: ticket.address, timeout: timeout)
    }

    /// Who listens on this host answers within this, or is not asked any longer; in milliseconds.
    private static let nearTimeout: Int32 = 5_000

    private static func connect(
        _ ticket: Ticket, at address: ListenerAddress, timeout: Int32
    ) throws(SystemError) -> AuthenticatedSocket {
        let descriptor: Int32 =
            switch address {
            case .tcp(let host, let port): sl_connect_tcp(host, Int32(port), timeout)
            case .unix(let path): sl_connect_unix(path)
            }
        guard descriptor >= 0 else { throw SystemError(doing: "connect to \(address)") }
        if case .unix = address, sl_peer_is_own_user(descriptor) == 0 {
            closeDescriptor(descriptor)
            throw SystemError(description: "cannot connect to \(address): another user listens there")
        }
        _ = sl_set_timeout(descriptor, timeout)
        do {
            let keys = try prove(ticket, descriptor)
            _ = sl_set_timeout(descriptor, 0)
            return AuthenticatedSocket(descriptor: descriptor, keys: keys)
        } catch {
            closeDescriptor(descriptor)
            throw SystemError(description: "cannot connect to \(address): \(error)")
        }
    }

    private static func prove(_ ticket: Ticket, _ descriptor: Int32) throws -> SessionKeys {
        let nonce = randomBytes(Handshake.nonceSize)
        try write(Handshake.greeting(ticket.id, nonce: nonce), descriptor)
        let answer = try Handshake.readAnswer(try read(Handshake.answerSize, descriptor))
        let transcript = Handshake.Transcript(
            secret: ticket.secret, ticket: ticket.id, connectorNonce: nonce, listenerNonce: answer.nonce)
        guard transcript.isListener(proof: answer.proof) else {
            throw SystemError(description: "who listens there does not know the secret")
        }
        try write(transcript.connectorProof, descriptor)
        return transcript.keys(ofListener: false)
    }

    private static func write(_ bytes: [UInt8], _ descriptor: Int32) throws(SystemError) {
        guard send(descriptor, bytes, bytes.count, Int32(MSG_NOSIGNAL)) == bytes.count else {
            throw SystemError(doing: "write to it")
        }
    }

    private static func read(_ count: Int, _ descriptor: Int32) throws(SystemError) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: count)
        var have = 0
        while have < count {
            let received = bytes.withUnsafeMutableBytes { recv(descriptor, $0.baseAddress! + have, count - have, 0) }
            if received < 0 && errno == EINTR { continue }
            if received < 0 { throw SystemError(doing: "read from it") }
            guard received > 0 else { throw SystemError(description: "it closed the connection") }
            have += received
        }
        return bytes
    }
}
