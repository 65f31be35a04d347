// SPDX-License-Identifier: BSD-3-Clause
import SwiftletModel
import SwiftletTransport
import SwiftletWire

/// The connections of a group's ranks beside rank 0, which a launcher has started, on whatever nodes. They know nobody but this engine:
/// it passes on what rank 0 says to them (TO_RANKS) and what they answer (RANK_SAID).
final class RankSwitch {
    let ticket: Ticket
    private let loop: EventLoop
    private let count: Int
    /// By rank, from 1.
    private var links: [Int: SecureLink] = [:]
    /// What was said to ranks that have not connected, whole frames.
    private var early: [Int: [UInt8]] = [:]
    /// Connected, and have not said which rank they are.
    private var strangers: [ObjectIdentifier: SecureLink] = [:]
    /// To rank 0: the type and the body of a rank's frame; type 0: it is gone.
    var onSaid: (_ rank: Int, _ type: UInt8, _ body: UnsafeRawBufferPointer) -> Void = { _, _, _ in }

    /// The flag of TO_RANKS that means all.
    static let all: UInt8 = 1

    init(count: Int, listener: SecureListener, loop: EventLoop) {
        self.count = count
        self.loop = loop
        var greet: (AuthenticatedSocket) -> Void = { $0.close() }
        ticket = listener.expect(uses: count - 1) { greet($0) }
        greet = { [weak self] socket in if let self { self.greet(socket) } else { socket.close() } }
    }

    private func greet(_ socket: AuthenticatedSocket) {
        let link = SecureLink(loop: loop)
        strangers[ObjectIdentifier(link)] = link
        link.onFrame = { [unowned self, unowned link] header, body in
            guard header.type == FrameType.hello.rawValue, header.id == protocolVersion,
                let rank = try Attributes(body: body)[integer: "rank"], 0 < rank, rank < count, links[rank] == nil
            else { throw WireError("it is no rank of this group") }
            admit(rank, link)
        }
        link.onClose = { [unowned self, unowned link] _ in strangers[ObjectIdentifier(link)] = nil }
        link.attach(socket)
    }

    private func admit(_ rank: Int, _ link: SecureLink) {
        strangers[ObjectIdentifier(link)] = nil
        links[rank] = link
        link.onFrame = { [unowned self] in onSaid(rank, $0.type, $1) }
        link.onClose = { [unowned self] _ in onSaid(rank, 0, UnsafeRawBufferPointer(start: nil, count: 0)) }
        if let waiting = early.removeValue(forKey: rank) { say(waiting, to: link) }
    }

    /// Frames of rank 0 for one rank, or for all.
    func pass(_ frames: UnsafeRawBufferPointer, to rank: Int, all: Bool) {
        let bytes = Array(frames)
        for rank in all ? Array(1..<count) : [rank] {
            if let link = links[rank] { say(bytes, to: link) } else { early[rank, default: []] += bytes }
        }
    }

    private func say(_ bytes: [UInt8], to link: SecureLink) {
        guard !link.isClosed else { return }
        link.outgoing += bytes
        link.send()
    }

    /// The group is gone.
    func close() {
        for link in Array(links.values) + Array(strangers.values) { link.close() }
        (links, strangers, early) = ([:], [:], [:])
    }
}

extension Engine {
    /// Whether a launcher starts the ranks of a Swift program; else its first process does.
    func launchesRanks(_ request: ResourceRequest) -> Bool {
        configuration?.launch == .program && request.isGroup && !request.isCommand && request.step.startsRanks
    }

    /// The tickets of a worker that connects by itself, a line each, and those of its other ranks.
    func tickets(of worker: Worker, _ ticket: Ticket, _ request: ResourceRequest) throws -> String {
        worker.ticket = ticket
        guard launchesRanks(request) else { return ticket.line }
        let ranks = RankSwitch(count: request.cores, listener: try runningListener(), loop: loop)
        worker.ranks = ranks
        ranks.onSaid = { [unowned worker] rank, type, body in
            worker.peer.link.send(.rankSaid, id: UInt64(rank), flags: type) { $0.append(contentsOf: body) }
        }
        return ticket.line + ranks.ticket.line
    }
}
