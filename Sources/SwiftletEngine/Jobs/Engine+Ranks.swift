// SPDX-License-Identifier: BSD-3-Clause
import SwiftletLaunch
import SwiftletModel
import SwiftletScheduler
import SwiftletTransport
import SwiftletWire

extension Engine {
    /// Starts a group of ranks as a step of the job that its agent is: by the agent, in the job's environment.
    func startRanks(_ id: WorkerID, index: Int, request: ResourceRequest, slot: Slot, _ settings: SlotVariables) {
        guard let configuration else { return }
        guard let node = slot.placements.first?.node, let agent = agents[node] else {
            return apply(.workerEnded(id, .failed("the node has no agent")))
        }
        do {
            let (link, ticket) = try makeExpectedLink()
            let outputs = [RelayStream.output, .errors].map { relayedOutput($0, of: id, on: agent, keepsTail: $0 == .errors) }
            agent.relayed[id] = Agent.Relayed(
                link: RelayLink(worker: id.rawValue, carrier: agent.link, loop: loop), outputs: outputs)
            let worker = Worker(
                id: id, peer: makePeer(link), outputs: outputs, spawner: agent.spawner, isFresh: !configuration.isWarm, slot: slot
            )
            worker.ticket = ticket
            worker.isStep = true
            var attributes = Attributes()
            attributes[list: "argv"] = agent.stepCommand + stepProgram(request)
            attributes[list: "env"] = environment(
                configuration.environment, with: SlotVariables.threads(request, in: configuration.environment))
            attributes[text: "cwd"] = configuration.directory
            attributes[bytes: "stdin"] = Array(ticket.line.utf8)
            attributes[integer: "job"] = 1
            log.write("worker \(id.rawValue): ranks on \(agent.host)")
            agent.spawner.spawn(id, attributes)
            introduce(worker, index: index)
        } catch {
            apply(.workerEnded(id, .failed("\(error)")))
        }
    }
}
