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
    /// Where who runs on this host may connect as well.
    public let near: ListenerAddress?

    private struct Expected {
        let secret: SecretKey
        var uses: Int
        let connected: (AuthenticatedSocket) -> Void
    }

    private let descriptors: [Int32]
    private let loop: EventLoop
    private let patience: UInt64
    private var tokens: [UInt64] = []
    private var expected: [TicketID: Expected] = [:]
    private var pending: [ObjectIdentifier: PendingConnection] = [:]
    private var isOpen = true

    /// How many connections have not proved anything yet.
    public var pendingCount: Int { pending.count }

    /// Listens at a numeric address of one interface, at a port the system chooses.
    /// - Parameter near: a path at which it listens as well, in a directory that only its owner may enter.
    /// - Throws: `SystemError`, also for an address that stands for all interfaces.
    public convenience init(
        host: String, near: String? = nil, loop: EventLoop, patience: UInt64 = patience
    ) throws(SystemError) {
        var port: Int32 = 0
        let descriptor = sl_listen_tcp(host, 0, &port)
        guard descriptor >= 0 else { throw SystemError(doing: "listen at \(host)") }
        let atPath = near.map { sl_listen_unix($0) } ?? -1
        self.init(
            descriptors: [descriptor, atPath].filter { $0 >= 0 }, address: .tcp(host, port: Int(port)),
            near: atPath >= 0 ? near.map { .unix($0) } : nil, loop: loop, patience: patience)
    }

    /// Listens at a path, in a directory that only its owner may enter.
    public convenience init(path: String, loop: EventLoop, patience: UInt64 = patience) throws(SystemError) {
        let descriptor = sl_listen_unix(path)
        guard descriptor >= 0 else { throw SystemError(doing: "listen at \(path)") }
        self.init(descriptors: [descriptor], address: .unix(path), near: nil, loop: loop, patience: patience)
    }

    private init(descriptors: [Int32], address: ListenerAddress, near: ListenerAddress?, loop: EventLoop, patience: UInt64) {
        self.descriptors = descriptors
        self.address = address
        self.near = near
        self.loop = loop
        self.patience = patience
        tokens = descriptors.map { loop.register($0, for: .read, handler: self) }
    }

    deinit { close() }

    /// From now on whoever knows the ticket's secret is let in, `uses` times; `connected` is called each time.
    /// - Parameter isAgent: its ticket names `near`, too.
    public func expect(uses: Int = 1, isAgent: Bool = false, connected: @escaping (AuthenticatedSocket) -> Void) -> Ticket {
        let ticket = Ticket(
            address: address, near: isAgent ? near : nil, id: TicketID(bytes: randomBytes(TicketID.size)), secret: .random())
        expected[ticket.id] = Expected(secret: ticket.secret, uses: uses, connected: connected)
        return ticket
    }

    /// The ticket lets nobody in any more.
    public func withdraw(_ ticket: TicketID) { expected[ticket] = nil }

    /// Stops listening; connections that have proved nothing are closed. The path is removed.
    public func close() {
        guard isOpen else { return }
        isOpen = false
        tokens.forEach(loop.unregister)
        descriptors.forEach(closeDescriptor)
        for connection in pending.values { connection.close() }
        pending = [:]
        for case .unix(let path)? in [address, near] { unlink(path) }
    }

    public func ready(_ readiness: Readiness) {
        for descriptor in descriptors { acceptAll(descriptor) }
        // Full: the queues are left alone until one of them is through.
        if isOpen, pending.count >= Self.pendingLimit { listen(for: []) }
    }

    private func acceptAll(_ descriptor: Int32) {
        while isOpen && pending.count < Self.pendingLimit {
            let accepted = sl_accept(descriptor)
            guard accepted >= 0 else { return }
            let connection = PendingConnection(descriptor: accepted, loop: loop)
            pending[ObjectIdentifier(connection)] = connection
            connection.secret = { [unowned self] in expected[$0]?.secret }
            connection.onEnd = { [unowned self, unowned connection] in ended(connection, $0) }
            connection.start(patience: patience)
        }
    }

    private func listen(for readiness: Readiness) {
        for token in tokens { loop.change(token, to: readiness) }
    }

    private func ended(_ connection: PendingConnection, _ result: Result<AuthenticatedSocket, SystemError>) {
        pending[ObjectIdentifier(connection)] = nil
        if isOpen { listen(for: .read) }
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
