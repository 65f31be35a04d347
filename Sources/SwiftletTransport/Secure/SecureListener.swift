// SPDX-License-Identifier: BSD-3-Clause
import CSwiftlet
import Glibc

/// Listens for those it expects, and for nobody else: who connects has to prove within five seconds that it knows the secret of a
/// ticket. At most 32 connections prove at a time; further ones wait in the system's queue.
public final class SecureListener: EventHandler {
    public static let pendingLimit = 32
    public static let patience: UInt64 = 5_000_000_000

    /// Called with the reason when somebody was turned away.
    public var onRefused: (String) -> Void = { _ in }
    public let address: ListenerAddress

    private struct Expected {
        let secret: SecretKey
        var uses: Int
        let connected: (AuthenticatedSocket) -> Void
    }

    private let descriptor: Int32
    private let loop: EventLoop
    private let patience: UInt64
    private var token: UInt64 = 0
    private var expected: [TicketID: Expected] = [:]
    private var pending: [ObjectIdentifier: PendingConnection] = [:]
    private var isOpen = true

    /// How many connections have not proved anything yet.
    public var pendingCount: Int { pending.count }

    /// Listens at a numeric address of one interface, at a port the system chooses.
    /// - Throws: `SystemError`, also for an address that stands for all interfaces.
    public convenience init(host: String, loop: EventLoop, patience: UInt64 = patience) throws(SystemError) {
        var port: Int32 = 0
        let descriptor = sl_listen_tcp(host, 0, &port)
        guard descriptor >= 0 else { throw SystemError(doing: "listen at \(host)") }
        self.init(descriptor: descriptor, address: .tcp(host, port: Int(port)), loop: loop, patience: patience)
    }

    /// Listens at a path, in a directory that only its owner may enter.
    public convenience init(path: String, loop: EventLoop, patience: UInt64 = patience) throws(SystemError) {
        let descriptor = sl_listen_unix(path)
        guard descriptor >= 0 else { throw SystemError(doing: "listen at \(path)") }
        self.init(descriptor: descriptor, address: .unix(path), loop: loop, patience: patience)
    }

    private init(descriptor: Int32, address: ListenerAddress, loop: EventLoop, patience: UInt64) {
        self.descriptor = descriptor
        self.address = address
        self.loop = loop
        self.patience = patience
        token = loop.register(descriptor, for: .read, handler: self)
    }

    deinit { close() }

    /// From now on whoever knows the ticket's secret is let in, `uses` times; `connected` is called each time.
    public func expect(uses: Int = 1, connected: @escaping (AuthenticatedSocket) -> Void) -> Ticket {
        let ticket = Ticket(address: address, id: TicketID(bytes: randomBytes(TicketID.size)), secret: .random())
        expected[ticket.id] = Expected(secret: ticket.secret, uses: uses, connected: connected)
        return ticket
    }

    /// The ticket lets nobody in any more.
    public func withdraw(_ ticket: TicketID) { expected[ticket] = nil }

    /// Stops listening; connections that have proved nothing are closed. The path is removed.
    public func close() {
        guard isOpen else { return }
        isOpen = false
        loop.unregister(token)
        closeDescriptor(descriptor)
        for connection in pending.values { connection.close() }
        pending = [:]
        if case .unix(let path) = address { unlink(path) }
    }

    public func ready(_ readiness: Readiness) {
        while isOpen && pending.count < Self.pendingLimit {
            let accepted = sl_accept(descriptor)
            guard accepted >= 0 else { return }
            let connection = PendingConnection(descriptor: accepted, loop: loop)
            pending[ObjectIdentifier(connection)] = connection
            connection.secret = { [unowned self] in expected[$0]?.secret }
            connection.onEnd = { [unowned self, unowned connection] in ended(connection, $0) }
            connection.start(patience: patience)
        }
        // Full: the queue is left alone until one of them is through.
        if isOpen { loop.change(token, to: pending.count < Self.pendingLimit ? .read : []) }
    }

    private func ended(_ connection: PendingConnection, _ result: Result<AuthenticatedSocket, SystemError>) {
        pending[ObjectIdentifier(connection)] = nil
        if isOpen { loop.change(token, to: .read) }
        switch result {
        case .failure(let error): onRefused(error.description)
        case .success(let socket):
            // It may have been used up by another while this one was proving.
            guard let ticket = connection.ticket, let guest = expected[ticket] else {
                closeDescriptor(socket.descriptor)
                return onRefused("a ticket was used more often than it is good for")
            }
            expected[ticket]!.uses -= 1
            if guest.uses == 1 { expected[ticket] = nil }
            guest.connected(socket)
        }
    }
}
