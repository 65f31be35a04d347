// SPDX-License-Identifier: BSD-3-Clause
import SwiftletLaunch
import SwiftletModel
import SwiftletTransport
import SwiftletWire

/// The agent of one node as its engine sees it.
final class Agent {
    /// Place of its node in the inventory.
    let node: Int
    let name: String
    /// The node as the world knows it.
    let host: String
    /// What starts several ranks, where they are a step of the agent's own job.
    let stepCommand: [String]
    /// When the time of its job is over, on the monotonic clock; nil: not known.
    var endsAt: UInt64?
    let link: SecureLink
    /// It runs on this host: its workers' streams are ours.
    let isNear: Bool
    let spawner: Spawner
    /// The streams of the workers it relays.
    var relayed: [WorkerID: Relayed] = [:]
    /// When anything came from it last, on the monotonic clock.
    var lastHeard: UInt64

    /// Seconds before the end that count as the end: batch systems count in their own steps.
    private static let endMargin: UInt64 = 2_000_000_000

    func isOver(at now: UInt64) -> Bool { endsAt.map { now + Self.endMargin >= $0 } ?? false }

    struct Relayed {
        let link: RelayLink
        let outputs: [OutputReader]
    }

    init(
        node: Int, name: String, link: SecureLink, isNear: Bool, spawner: Spawner, _ attributes: Attributes = Attributes(),
        now: UInt64
    ) {
        self.node = node
        self.name = name
        host = attributes[text: "host"] ?? name
        stepCommand = attributes[list: "step"] ?? []
        self.link = link
        self.isNear = isNear
        self.spawner = spawner
        lastHeard = now
    }
}

/// The command that starts agents, and the agents it should bring.
final class AgentStep {
    /// Its number as the guardian knows it.
    let id: WorkerID
    let outputs: [OutputReader]
    let ticket: Ticket
    /// Nodes whose agents have not connected.
    var missing: Set<Int>

    init(id: WorkerID, outputs: [OutputReader], ticket: Ticket, missing: Set<Int>) {
        self.id = id
        self.outputs = outputs
        self.ticket = ticket
        self.missing = missing
    }
}
