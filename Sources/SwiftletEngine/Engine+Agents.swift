// SPDX-License-Identifier: BSD-3-Clause
import CSwiftlet
import Glibc
import SwiftletLaunch
import SwiftletModel
import SwiftletScheduler
import SwiftletTransport
import SwiftletWire

// Agents: one on each node of an allocation. A launcher says by which command they are started (`AgentCommand`); everything
// else is the same for all of them.
extension Engine {
    /// How often agents of a node are started that end at once.
    private static let agentTries = 3

    /// Starts the agents of these nodes by one command.
    func startAgents(on nodes: Set<Int>) {
        guard let configuration, let launcher = configuration.nodes, !nodes.isEmpty else { return }
        do {
            let names = nodes.sorted().map { configuration.inventory.nodes[$0].name }
            let command = launcher.agents(on: names)
            let listener = try runningListener()
            let ticket = listener.expect(uses: nodes.count, isAgent: true) { [unowned self] in greet($0) }
            let (outputRead, outputWrite) = try makePipe()
            let (errorRead, errorWrite) = try makePipe()
            let step = AgentStep(
                id: nextHelper(),
                outputs: [
                    OutputReader(descriptor: outputRead, keepsTail: true, loop: loop),
                    OutputReader(descriptor: errorRead, keepsTail: true, loop: loop),
                ], ticket: ticket, missing: nodes)
            for reader in step.outputs {
                reader.onOutput = { [unowned self] in log.write("agents: " + String(decoding: $0, as: UTF8.self)) }
            }
            agentSteps[step.id] = step
            log.write("starts agents: \(command.arguments.joined(separator: " "))")
            guardian.spawn(
                step.id, arguments: command.arguments, environment: command.environment, directory: configuration.directory,
                input: Array(ticket.line.utf8), grace: command.grace, socket: nil, output: outputWrite, errors: errorWrite)
        } catch {
            fail("agents cannot be started: \(error)")
        }
    }

    /// Somebody has connected with a ticket for agents; its HELLO says which node it is on.
    func greet(_ socket: AuthenticatedSocket) {
        let link = SecureLink(loop: loop)
        link.attach(socket)
        let spawner = Spawner(link: link)
        strangers.append(spawner)
        spawner.onHello = { [unowned self, unowned spawner] attributes in
            strangers.removeAll { $0 === spawner }
            try admit(spawner, link, attributes)
        }
        spawner.onClose = { [unowned self, unowned spawner] reason in
            log.write("an agent went away before it said who it is: \(reason ?? "")")
            strangers.removeAll { $0 === spawner }
        }
    }

    private func admit(_ spawner: Spawner, _ link: SecureLink, _ attributes: Attributes) throws {
        guard let configuration else { return }
        let name = try nameOfEqualVersion(attributes)
        guard let node = configuration.inventory.nodes.firstIndex(where: { $0.name == name }), agents[node] == nil else {
            throw WireError("node \(name) is none of those that were asked for, or has an agent already")
        }
        let agent = Agent(
            node: node, name: name, link: link, isNear: isNear(link), spawner: spawner, attributes, now: sl_monotonic_ns())
        agents[node] = agent
        for step in agentSteps.values { step.missing.remove(node) }
        listen(to: agent)
        spawner.onClose = { [unowned self, unowned agent] in agentIsGone(agent, $0 ?? "its agent is gone") }
        sendSetup(to: agent)
        agentJobs?.came(node)
        if agents.count == 1 { beat() }
        log.write("agent on \(name) is there" + (agent.isNear ? ", on this host" : ""))
        agentFailures[node] = nil
        apply(.nodeUp(node))
    }

    /// Whether the agent behind a link runs on this host: descriptors reach nobody else.
    func isNear(_ link: SecureLink) -> Bool { link.carriesDescriptors && configuration?.relaysAlways != true }

    /// The node's name in an agent's HELLO.
    /// - Throws: `WireError` where the agent is not this engine's version.
    func nameOfEqualVersion(_ attributes: Attributes) throws(WireError) -> String {
        let name = attributes[text: "node"] ?? ""
        guard attributes[text: "version"] == productVersion else {
            throw WireError(
                "node \(name) has version \(attributes[text: "version"] ?? "?") of the engine, this is \(productVersion)")
        }
        return name
    }

    /// From now on what an agent says of its workers is heard.
    func listen(to agent: Agent) {
        let spawner = agent.spawner
        spawner.onForked = { [unowned self, unowned spawner] in forked($0, $1, by: spawner) }
        spawner.onEnded = { [unowned self, unowned agent] in ended($0, $1, on: agent) }
        spawner.onOther = { [unowned self, unowned agent] in try receivedFromAgent($0, $1, agent) }
        spawner.onHeard = { [unowned agent] in agent.lastHeard = sl_monotonic_ns() }
    }

    /// Who ends all processes of a node may hit a worker before its agent: then the death is the node's, and the call runs again.
    private func ended(_ id: WorkerID, _ end: ProcessEnd, on agent: Agent) {
        let isKilled = end == .signalled(SIGKILL) || end == .signalled(SIGTERM)
        guard isKilled, let worker = workers[id], worker.stage == .running, worker.memoryUsed == nil else {
            agent.relayed[id] = nil
            return processEnded(id, end, by: agent.spawner)
        }
        let spawner = agent.spawner
        loop.schedule(after: Self.agentOutlivesItsWorkersBy) { [unowned self, weak agent] in
            agent?.relayed[id] = nil
            processEnded(id, end, by: spawner)
        }
    }

    private static let agentOutlivesItsWorkersBy: UInt64 = 500_000_000

    /// Tells an agent how workers are started.
    /// - Parameter keepsGPUs: which GPUs they see is what the agent's own environment says.
    func sendSetup(to agent: Agent, keepsGPUs: Bool = false) {
        guard let configuration else { return }
        agent.link.send(.agentSetup, id: 0) { bytes in
            var attributes = Attributes()
            attributes[list: "argv"] = configuration.argv
            attributes[list: "env"] = configuration.environment
            attributes[text: "cwd"] = configuration.directory
            if keepsGPUs { attributes[integer: "keep_gpus"] = 1 }
            if agentJobs != nil { attributes[integer: "job"] = 1 }
            attributes.write(to: &bytes)
        }
    }

    func receivedFromAgent(_ header: FrameHeader, _ body: UnsafeRawBufferPointer, _ agent: Agent) throws {
        let worker = agent.relayed[WorkerID(UInt32(truncatingIfNeeded: header.id))]
        let stream = RelayStream(flags: header.flags)
        switch FrameType(rawValue: header.type) {
        case .relay:
            let isEnd = header.flags & RelayStream.end != 0
            switch stream {
            case .connection: isEnd ? worker?.link.ended() : worker?.link.received(body)
            case .output, .errors: worker?.outputs[stream == .output ? 0 : 1].relayed(body)
            case nil: throw WireError("an agent relays a stream that no worker has")
            }
        case .relayAck:
            var reader = ByteReader(body)
            worker?.link.acknowledged(Int(clamping: try reader.integer(UInt64.self)))
        case .looked: looked(WorkerID(UInt32(truncatingIfNeeded: header.id)), isCertain: header.flags & 1 != 0)
        case .memoryExceeded:
            var reader = ByteReader(body)
            let used = try reader.integer(UInt64.self)
            workers[WorkerID(UInt32(truncatingIfNeeded: header.id))].map { usesTooMuch($0, used: used) }
        case .heartbeat: break
        default: throw WireError("unexpected frame of type \(header.type) from an agent")
        }
    }

    /// Starts a worker on an agent's node.
    func start(_ id: WorkerID, index: Int, request: ResourceRequest, slot: Slot, _ settings: SlotVariables, on agent: Agent) {
        guard let configuration else { return }
        let outputs = [RelayStream.output, .errors].map { relayedOutput($0, of: id, on: agent, keepsTail: $0 == .errors) }
        let worker = Worker(
            id: id, peer: makePeer(Link(loop: loop)), outputs: outputs, spawner: agent.spawner, isFresh: !configuration.isWarm,
            slot: slot)
        var attributes = spawnAttributes(request, settings)
        if !settings.cores.isEmpty { attributes[text: "cores"] = settings.cores }
        introduce(worker, index: index)
        spawn(worker, attributes, on: agent)
    }

    /// Has an agent start a worker. On this host both talk directly from then on; else, and where no descriptors are left for
    /// that, the agent relays.
    func spawn(_ worker: Worker, _ attributes: Attributes, on agent: Agent) {
        guard agent.isNear, let streams = try? ProcessStreams() else {
            let link = RelayLink(worker: worker.id.rawValue, carrier: agent.link, loop: loop)
            agent.relayed[worker.id] = Agent.Relayed(link: link, outputs: worker.outputs)
            agent.spawner.spawn(worker.id, attributes)
            return worker.peer.isReached(by: link)
        }
        agent.spawner.spawn(
            worker.id, attributes, isNear: true, socket: streams.connection.theirs, output: streams.output.theirs,
            errors: streams.errors.theirs)
        worker.peer.isReached(by: SocketLink(descriptor: streams.connection.ours, loop: loop))
        for (reader, descriptor) in zip(worker.outputs, [streams.output.ours, streams.errors.ours]) {
            reader.read(from: descriptor)
        }
    }

    /// What an agent is told of a worker.
    func spawnAttributes(_ request: ResourceRequest, _ settings: SlotVariables) -> Attributes {
        var attributes = Attributes()
        guard let configuration, configuration.launch == .program else {
            attributes[list: "variables"] = settings.variables
            return attributes
        }
        attributes[list: "argv"] = configuration.argv
        attributes[list: "env"] = environment(
            configuration.environment,
            with: settings.variables + SlotVariables.threads(request, in: configuration.environment) + programVariables(request))
        attributes[text: "cwd"] = configuration.directory
        if !configuration.isWarm { attributes[integer: "forks"] = 1 }
        return attributes
    }

    /// What a process on an agent's node prints.
    func relayedOutput(
        _ stream: RelayStream, of id: WorkerID, on agent: Agent, keepsTail: Bool, tailSize: Int = OutputReader.tailSize
    ) -> OutputReader {
        OutputReader(keepsTail: keepsTail, tailSize: tailSize, loop: loop) { [weak agent] count in
            agent?.link.send(.relayAck, id: UInt64(id.rawValue), flags: stream.rawValue) { $0.append(integer: UInt64(count)) }
        }
    }

    /// The connection to an agent is lost, and with it its node.
    func agentIsGone(_ agent: Agent, _ reason: String) {
        guard agents[agent.node] === agent else { return }
        agents[agent.node] = nil
        agent.link.close()
        guard ending == .no, !isDismissing else { return }
        let timeIsOver = agent.isOver(at: sl_monotonic_ns())
        let words = timeIsOver ? "the time of its job on \(agent.host) is over" : "node \(agent.host) was lost: \(reason)"
        log.write("\(agent.name): \(words)")
        apply(.nodeLost(agent.node, timeIsOver: timeIsOver))
        for worker in workers.values where worker.spawner === agent.spawner { gone(worker, .failed(words)) }
        if let agentJobs { return agentJobs.lost(agent.node, words) }
        agentFailures[agent.node, default: 0] += 1
        guard agentFailures[agent.node]! < Self.agentTries else { return failWithoutNodes() }
        restarting.insert(agent.node)
        loop.schedule(after: 1_000_000_000) { [unowned self] in
            restarting.remove(agent.node)
            if ending == .no && !isDismissing { startAgents(on: [agent.node]) }
        }
    }

    /// A command that starts agents has ended: those that have not come will not.
    func agentStepEnded(_ step: AgentStep, _ end: ProcessEnd) {
        for output in step.outputs { output.finish() }
        agentSteps[step.id] = nil
        listener?.withdraw(step.ticket.id)
        let tail = step.outputs.reversed().map { String(decoding: $0.tail, as: UTF8.self) }.joined()
        let fault = "the command that starts agents \(end)".withLastWords(tail)
        log.write(fault)
        agentFaults.append(fault)
        if isDismissing { return finishWithoutAgents() }
        failWithoutNodes()
    }

    /// Everything has ended: the agents go first, so that nothing is left on a node when the client hears of the end.
    func dismissAgents() {
        guard !isDismissing else { return }
        isDismissing = true
        for agent in agents.values { agent.link.close() }
        agents = [:]
        for step in agentSteps.values { listener?.withdraw(step.ticket.id) }
        for step in agentSteps.values where !step.missing.isEmpty { guardian.signal(step.id, SIGTERM) }
        loop.schedule(after: 5_000_000_000) { [unowned self] in
            agentSteps = [:]
            finishWithoutAgents()
        }
    }

    private func finishWithoutAgents() {
        if agentSteps.isEmpty { finish() }
    }

    /// Where no node is left and none will come, nothing can run any more.
    private func failWithoutNodes() {
        guard ending == .no, !isDismissing, agents.isEmpty, restarting.isEmpty, agentSteps.values.allSatisfy(\.missing.isEmpty)
        else { return }
        // The first says what happened, the last why it could not be mended.
        let faults = agentFaults.count > 1 ? [agentFaults[0], agentFaults[agentFaults.count - 1]] : agentFaults
        fail("no node of the allocation can be used: \(faults.joined(separator: "\nthen "))")
    }

    private func beat() {
        guard !agents.isEmpty, ending == .no else { return }
        let now = sl_monotonic_ns()
        for agent in agents.values {
            if now - agent.lastHeard > Heartbeat.silence {
                agentIsGone(agent, "nothing was heard of it for a minute")
            } else {
                agent.link.send(.heartbeat, id: 0)
            }
        }
        loop.schedule(after: Heartbeat.interval) { [unowned self] in beat() }
    }
}
