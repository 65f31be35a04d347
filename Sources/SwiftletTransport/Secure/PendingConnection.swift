// SPDX-License-Identifier: BSD-3-Clause
import CSwiftlet
import Glibc
import SwiftletWire

/// A connection that somebody has opened and not proved anything on.
final class PendingConnection: EventHandler {
    /// The secret of a ticket that is expected.
    var secret: (TicketID) -> SecretKey? = { _ in nil }
    /// Called once: the connection with its keys, or why it was turned away.
    var onEnd: (Result<AuthenticatedSocket, SystemError>) -> Void = { _ in }
    private(set) var ticket: TicketID?

    private let descriptor: Int32
    private let loop: EventLoop
    private var token: UInt64 = 0
    private var timer: UInt64 = 0
    private var received: [UInt8] = []
    private var transcript: Handshake.Transcript?
    private var isOver = false

    init(descriptor: Int32, loop: EventLoop) {
        self.descriptor = descriptor
        self.loop = loop
    }

    func start(patience: UInt64) {
        token = loop.register(descriptor, for: .read, handler: self)
        timer = loop.schedule(after: patience) { [weak self] in self?.refuse("it did not prove who it is in time") }
    }

    /// Forgets it without a word.
    func close() {
        guard leave() else { return }
        closeDescriptor(descriptor)
    }

    func ready(_ readiness: Readiness) {
        let wanted = (transcript == nil ? Handshake.greetingSize : Handshake.codeSize) - received.count
        var chunk = [UInt8](repeating: 0, count: wanted)
        var none: Int32 = 0
        let count = chunk.withUnsafeMutableBytes { sl_receive(descriptor, $0.baseAddress!, wanted, nil, 0, &none) }
        if count < 0 && errno == EAGAIN { return }
        guard count > 0 else { return refuse("it went away") }
        received.append(contentsOf: chunk.prefix(count))
        if count == wanted { messageArrived() }
    }

    private func messageArrived() {
        defer { received = [] }
        if let transcript {
            guard transcript.isConnector(proof: received) else { return refuse("its proof is wrong") }
            guard leave() else { return }
            return onEnd(.success(AuthenticatedSocket(descriptor: descriptor, keys: transcript.keys(ofListener: true))))
        }
        do {
            let (ticket, nonce) = try Handshake.readGreeting(received)
            guard let secret = secret(ticket) else { return refuse("nobody of that name is expected") }
            let transcript = Handshake.Transcript(
                secret: secret, ticket: ticket, connectorNonce: nonce, listenerNonce: randomBytes(Handshake.nonceSize))
            self.ticket = ticket
            self.transcript = transcript
            let answer = transcript.answer
            // A new socket has room for these bytes.
            guard sl_send(descriptor, answer, answer.count, nil, 0) == answer.count else { return refuse("it takes no answer") }
        } catch {
            refuse(error.description)
        }
    }

    private func refuse(_ reason: String) {
        guard leave() else { return }
        closeDescriptor(descriptor)
        onEnd(.failure(SystemError(description: "a connection was turned away: \(reason)")))
    }

    private func leave() -> Bool {
        guard !isOver else { return false }
        isOver = true
        loop.cancel(timer: timer)
        loop.unregister(token)
        return true
    }
}
