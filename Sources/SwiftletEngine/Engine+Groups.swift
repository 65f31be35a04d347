// SPDX-License-Identifier: BSD-3-Clause
import Glibc
import SwiftletLaunch
import SwiftletModel
import SwiftletScheduler
import SwiftletTransport
import SwiftletWire

// Groups of MPI ranks: one worker for the scheduler, whose connection is rank 0's.
extension Engine {
    /// Starts a launcher of ranks. Rank 0 connects with the ticket it finds on its standard input; the launcher's process stands for
    /// the group: it ends when the ranks have ended.
    func startGroup(_ id: WorkerID, index: Int, request: ResourceRequest, slot: Slot, _ settings: SlotVariables) {
        guard let configuration else { return }
        guard let launcher = groupLauncher else {
            return apply(.workerCannotPrepare(id, reason: "the client named no launcher for groups of ranks"))
        }
        do {
            let (link, ticket) = try makeExpectedLink()
            let (outputRead, outputWrite) = try makePipe()
            let (errorRead, errorWrite) = try makePipe()
            let worker = Worker(
                id: id, peer: makePeer(link),
                outputs: [
                    OutputReader(descriptor: outputRead, keepsTail: false, loop: loop),
                    OutputReader(descriptor: errorRead, keepsTail: true, loop: loop),
                ],
                spawner: guardian, isFresh: !configuration.isWarm, slot: slot)
            worker.ticket = ticket
            worker.isGroup = true
            introduce(worker, index: index)
            announce(worker, settings)
            let variables =
                settings.variables + SlotVariables.threads(request, in: configuration.environment)
                + launcher.variables(isRoot: geteuid() == 0)
            guardian.spawn(
                id, arguments: launcher.arguments(ranks: request.cores, oversubscribed: request.isOversubscribed),
                environment: environment(configuration.environment, with: variables), directory: configuration.directory,
                cores: settings.cores, input: Array(ticket.line.utf8), socket: nil, output: outputWrite, errors: errorWrite)
        } catch {
            apply(.workerEnded(id, .failed("\(error)")))
        }
    }
}

extension MPILauncher {
    /// As frame GROUPS says.
    init(_ attributes: Attributes) throws(WireError) {
        guard let kind = attributes[text: "kind"].flatMap(Kind.init(rawValue:)), let program = attributes[text: "program"],
            let worker = attributes[list: "worker"], !worker.isEmpty
        else { throw WireError("GROUPS names no launcher that this engine knows") }
        self.init(kind: kind, program: program, worker: worker)
    }
}
