// SPDX-License-Identifier: BSD-3-Clause
import Glibc
import SwiftletLaunch
import SwiftletModel
import SwiftletScheduler
import SwiftletTransport
import SwiftletWire

// Workers that are job steps of their own: a launcher's command starts them, and they connect by themselves.
extension Engine {
    /// Whether a call (or warm worker) is a step of its own; else the agent of its node runs it.
    func isStep(_ request: ResourceRequest, _ slot: Slot) -> Bool {
        guard let configuration, configuration.nodes != nil else { return false }
        // Ranks of a Swift program are one worker's affair, but where that is an external program: then they are Slurm's.
        let isGroup = request.isGroup && (configuration.launch == .forkServer || request.isCommand)
        return !configuration.usesAgents || isGroup || launchesRanks(request) || request.step.isAskedFor
            || slot.placements.count > 1
    }

    /// Starts a worker that is not of this machine's.
    func startElsewhere(_ id: WorkerID, index: Int, request: ResourceRequest, slot: Slot, _ settings: SlotVariables) {
        if agentJobs != nil, request.isGroup {
            return startRanks(id, index: index, request: request, slot: slot, settings)
        }
        guard agentJobs != nil || !isStep(request, slot) else {
            do {
                if request.isCommand { return try startCommand(id, request: request, slot: slot, settings) }
                try startStep(id, index: index, request: request, slot: slot)
            } catch {
                apply(.workerEnded(id, .failed("\(error)")))
            }
            return
        }
        guard let node = slot.placements.first?.node, let agent = agents[node] else {
            return apply(.workerEnded(id, .failed("the node has no agent")))
        }
        if request.isCommand { return startCommand(id, request: request, slot: slot, settings, on: agent) }
        start(id, index: index, request: request, slot: slot, settings, on: agent)
    }

    private func startStep(
        _ id: WorkerID, index: Int, request: ResourceRequest, slot: Slot
    ) throws {
        guard let configuration, let launcher = configuration.nodes else { return }
        let command = launcher.step(stepRequest(request), in: slot, program: stepProgram(request))
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
        let input = try tickets(of: worker, ticket, request)
        worker.isStep = true
        log.write("worker \(id.rawValue): \(command.shellLine)")
        // Which GPUs it gets is Slurm's word.
        let place = SlotVariables(slot, request: request, gpuVariable: nil, name: "\(getpid())-\(id.rawValue)").variables
        let variables =
            place + SlotVariables.threads(request, in: command.environment)
            + programVariables(request) + ["SWIFTLET_STEP=1"]
        guardian.spawn(
            id, arguments: command.arguments, environment: environment(command.environment, with: variables),
            directory: configuration.directory, input: Array(input.utf8), grace: command.grace, socket: nil,
            output: outputWrite, errors: errorWrite)
        introduce(worker, index: index)
    }

    /// GROUPS: how groups of ranks are started; without a launcher's kind it is that of the nodes which does it. May precede CONFIGURE.
    func setGroups(_ attributes: Attributes) throws(WireError) {
        if attributes[text: "kind"] != nil { groupLauncher = try MPILauncher(attributes) }
        rankWorker = attributes[list: "worker"] ?? []
    }

    /// What runs in a step.
    func stepProgram(_ request: ResourceRequest) -> [String] {
        guard let configuration else { return [] }
        let isGroup = request.isGroup && configuration.launch == .forkServer
        return isGroup ? rankWorker + ["\(request.cores)"] : configuration.stepWorker
    }

    /// What a launcher is asked for: a Swift program starts its other ranks itself, and is one process with the cores of all.
    func stepRequest(_ request: ResourceRequest) -> ResourceRequest {
        guard configuration?.launch == .program, !request.isCommand, !launchesRanks(request) else { return request }
        var process = request
        process.cores = 1
        process.threadsPerCore = request.occupiedCores
        process.gpusPerCore = request.cores * request.gpusPerCore
        process.step.gpusPerCore = request.cores * request.step.gpusPerCore
        return process
    }

    /// What a worker that is a program finds in its environment about its group.
    func programVariables(_ request: ResourceRequest) -> [String] {
        guard configuration?.launch == .program, request.isGroup else { return [] }
        return [launchesRanks(request) ? "SWIFTLET_LAUNCHED_RANKS=\(request.cores)" : "SWIFTLET_RANKS=\(request.cores)"]
    }

    /// How a worker ended that a launcher's command has started, from how that ended: its own failure is not the call's, and srun
    /// exits with 128 + n for signal n. Ranks connect when all of them have MPI, so that no rank has seen the call before.
    func endOfLaunched(_ worker: Worker, _ end: ProcessEnd) -> ProcessEnd {
        guard worker.isStep || worker.isGroup else { return end }
        guard worker.mayHaveBegun else {
            return .failed("the command that starts it \(end)".withLastWords(worker.errorTail))
        }
        guard worker.isStep else { return end }
        switch end {
        case .exited(128 + SIGTERM):
            // Of several ranks srun ends the others so when one has died.
            return SrunReport(worker.errorWords).firstDeath ?? .signalled(SIGTERM)
        case .exited(let status) where status > 128 && status < 128 + 65: return .signalled(status - 128)
        case .signalled:
            // The command is gone, the step may be not.
            if let step = worker.step { cancel(step: step) }
            return end
        default: return end
        }
    }

    private func cancel(step: String) {
        guard let command = configuration?.nodes?.cancel(step: step) else { return }
        log.write(command.shellLine)
        guardian.spawn(
            nextHelper(), arguments: command.arguments, environment: command.environment, socket: nil, output: dup(2),
            errors: dup(2))
    }

    /// Says what would be started for a call, without starting it.
    func sendDryRun(_ number: UInt64) {
        if let agentJobs {
            return agentJobs.describe { [unowned self] text in
                client.link.send(.dryRunIs, id: number) { $0.append(contentsOf: text.utf8) }
            }
        }
        let text = requests[RequestID(UInt32(truncatingIfNeeded: number))].map(dryRun) ?? "no such request"
        client.link.send(.dryRunIs, id: number) { $0.append(contentsOf: text.utf8) }
    }

    private func dryRun(_ request: ResourceRequest) -> String {
        guard let configuration else { return "" }
        let slot = configuration.inventory.exampleSlot(for: request)
        guard let launcher = configuration.nodes else {
            return LaunchCommand(arguments: configuration.argv, environment: []).shellLine
        }
        if isStep(request, slot) {
            return launcher.step(stepRequest(request), in: slot, program: stepProgram(request)).shellLine
        }
        return launcher.agents(on: configuration.inventory.nodes.map(\.name)).shellLine
    }
}

extension Inventory {
    /// The slot that a request would get where everything is free; the nodes' names are those it would use first.
    func exampleSlot(for request: ResourceRequest) -> Slot {
        let wanted = request.nodes ?? nodesNeeded(for: request)
        let ranks = (request.cores + wanted - 1) / max(1, wanted)
        return Slot(
            placements: nodes.prefix(max(1, wanted)).enumerated().map {
                Slot.Placement(
                    node: $0.offset, name: $0.element.name, ranks: ranks, coreCount: ranks * request.threadsPerCore,
                    memory: request.memory)
            })
    }

    private func nodesNeeded(for request: ResourceRequest) -> Int {
        guard let most = nodes.map({ ($0.coreCount ?? .max) / request.threadsPerCore }).max(), most > 0 else { return 1 }
        return (request.cores - 1) / most + 1
    }
}
