// SPDX-License-Identifier: BSD-3-Clause
import SwiftletLaunch
import SwiftletModel
import SwiftletTransport

/// The agent of one node as its engine sees it.
final class Agent {
    /// Place of its node in the inventory.
    let node: Int
    let name: String
    let link: SecureLink
    let spawner: Spawner
    /// The streams of the workers it relays.
    var relayed: [WorkerID: Relayed] = [:]
    /// When anything came from it last, on the monotonic clock.
    var lastHeard: UInt64

    struct Relayed {
        let link: RelayLink
        let outputs: [OutputReader]
    }

    init(node: Int, name: String, link: SecureLink, spawner: Spawner, now: UInt64) {
        self.node = node
        self.name = name
        self.link = link
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
