// SPDX-License-Identifier: BSD-3-Clause
import CSwiftlet
import Glibc
import SwiftletModel
import SwiftletTransport
import SwiftletWire

/// The process from which an agent's Python workers are forked. What it prints goes where the agent's messages go.
final class AgentForkServer {
    /// Its number as the guardian knows it; counted down from the top, away from the workers'.
    let id: WorkerID
    let spawner: Spawner
    private(set) var isUsable = true
    /// How many have died one after the other without having forked anything.
    private var failures: Int
    private var reason = ""

    private static let tries = 3

    /// - Parameter last: the one before, which has died.
    /// - Throws: `SystemError` where there are no descriptors; a text where the last ones have all failed.
    init(_ setup: Attributes, after last: AgentForkServer?, guardian: Spawner, loop: EventLoop) throws {
        failures = last?.failures ?? 0
        guard failures < Self.tries else { throw WireError(last?.reason ?? "") }
        id = WorkerID((last?.id.rawValue ?? .max) - 1)
        let (ours, theirs) = try makeSocketPair()
        spawner = Spawner(link: SocketLink(descriptor: ours, loop: loop))
        let output = dup(2), errors = dup(2)
        guard output >= 0, errors >= 0 else { throw SystemError(doing: "start the fork server") }
        guardian.spawn(id, setup, socket: theirs, output: output, errors: errors)
    }

    func hasForked() { failures = 0 }

    func ended(_ end: ProcessEnd) {
        isUsable = false
        failures += 1
        reason = "the fork server \(end)"
        spawner.close()
    }
}
