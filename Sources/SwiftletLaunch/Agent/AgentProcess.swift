// SPDX-License-Identifier: BSD-3-Clause
import CSwiftlet
import Glibc
import SwiftletModel
public import SwiftletTransport
import SwiftletWire

/// The engine's deputy on another node: it starts workers there, through a fork server or as programs, and relays what they say.
/// It lives as long as its connection to the engine; nothing it started lives longer.
public final class AgentProcess {
    private let loop = EventLoop()
    let engine: SecureLink
    private let guardian: Spawner
    private let guardianProcess: Int32
    private var server: AgentForkServer?
    private var setup: Attributes?
    /// Which GPUs its workers see, where its own environment says it.
    private var gpuVariables: [String] = []
    private var workers: [UInt32: AgentWorker] = [:]
    private var memory: AgentMemory?
    private var lastHeard: UInt64 = 0
    private var failure: String?
    private let node: String

    /// Serves the engine that gave the ticket until it is gone; never returns.
    /// - Parameters:
    ///   - node: how the launcher calls this node.
    ///   - job: the job that this agent is, where it is one.
    ///   - guardianArguments: arguments (argv) with which this program is a guardian.
    public static func run(
        ticket: Ticket, node: String, job: AgentJob? = nil, version: String, guardianArguments: [String]
    ) -> Never {
        sl_ignore_terminal_signals()
        sl_raise_descriptor_limit()
        _ = sl_become_subreaper()
        let guardian: Int32
        do {
            let agent = try AgentProcess(
                connection: try connect(ticket, as: job), node: node, job: job, version: version,
                guardianArguments: guardianArguments)
            guardian = agent.guardianProcess
            agent.loop.run()
            agent.guardian.onClose = { _ in }
            agent.guardian.close()
            if let failure = agent.failure { say("agent on \(node): \(failure)") }
        } catch {
            say("agent on \(node): \(error)")
            exit(1)
        }
        exit(endAllDescendants(guardian: guardian).isEmpty ? 0 : 1)
    }

    private init(
        connection: AuthenticatedSocket, node: String, job: AgentJob?, version: String, guardianArguments: [String]
    ) throws {
        self.node = node
        engine = SecureLink(loop: loop)
        (guardian, guardianProcess) = try Spawner.startGuardian(
            program: "/proc/self/exe", arguments: guardianArguments, loop: loop)
        memory = AgentMemory(loop: loop) { [unowned self] in usesTooMuch($0, used: $1) }
        engine.attach(connection)
        engine.onFrame = { [unowned self] in try received($0, $1) }
        engine.onClose = { [unowned self] in end($0 ?? "") }
        guardian.onForked = { [unowned self] in forked($0, $1) }
        guardian.onEnded = { [unowned self] in processEnded($0, $1) }
        guardian.onClose = { [unowned self] _ in end("its guardian died") }
        engine.send(.hello, id: protocolVersion) { bytes in
            var attributes = Attributes()
            attributes[text: "role"] = "agent"
            attributes[text: "version"] = version
            attributes[text: "node"] = job?.place ?? node
            attributes[text: "host"] = node
            if let job { attributes[list: "step"] = job.step }
            attributes[integer: "pid"] = Int(getpid())
            AgentPlace.own.write(to: &attributes)
            attributes.write(to: &bytes)
        }
        lastHeard = sl_monotonic_ns()
        beat()
    }

    private static func connect(_ ticket: Ticket, as job: AgentJob?) throws -> AuthenticatedSocket {
        do {
            return try SecureConnector.connect(ticket)
        } catch {
            guard job != nil else { throw error }
            throw WireError(
                "the program that wants this worker cannot be reached: \(error)\nhint: workers connect to the address that "
                    + "SWIFTLET_ADDRESS names, where it is set: a numeric address of the client's host that the nodes reach")
        }
    }

    private static func say(_ text: String) {
        let line = "swiftlet: \(text)\n"
        _ = write(2, line, line.utf8.count)
    }

    private func end(_ reason: String) {
        if failure == nil, !reason.isEmpty { failure = reason }
        loop.stop()
    }

    /// Says that it lives, and ends everything where the engine has not been heard of for a minute.
    private func beat() {
        guard sl_monotonic_ns() - lastHeard < Heartbeat.silence else {
            return end("the engine has not been heard of for a minute")
        }
        engine.send(.heartbeat, id: 0)
        loop.schedule(after: Heartbeat.interval) { [unowned self] in beat() }
    }

    private func received(_ header: FrameHeader, _ body: UnsafeRawBufferPointer) throws {
        lastHeard = sl_monotonic_ns()
        let worker = workers[UInt32(truncatingIfNeeded: header.id)]
        switch FrameType(rawValue: header.type) {
        case .relay: if RelayStream(flags: header.flags) == .connection { worker?[.connection]?.write(body) }
        case .look:
            let isCertain = worker?[.connection]?.passOnEverything() ?? false
            engine.send(.looked, id: header.id, flags: isCertain ? 1 : 0)
        case .relayAck:
            var reader = ByteReader(body)
            let count = Int(clamping: try reader.integer(UInt64.self))
            if let stream = RelayStream(flags: header.flags) { worker?[stream]?.acknowledged(count) }
        case .spawn:
            try spawn(
                UInt32(truncatingIfNeeded: header.id), Attributes(body: body),
                isConnected: header.flags & SpawnFlag.noSocket == 0,
                descriptors: header.flags & SpawnFlag.near != 0 ? engine.takeDescriptors(3) : [])
        case .signal:
            var reader = ByteReader(body)
            worker?.spawner.signal(WorkerID(UInt32(header.id)), Int32(try reader.integer(UInt32.self)))
        case .heartbeat: break
        case .agentSetup:
            var attributes = try Attributes(body: body)
            attributes[list: "env"] = placed(attributes)
            if attributes[integer: "keep_gpus"] == 1 { gpuVariables = NodeEnvironment.gpuVariables(processEnvironment()) }
            setup = attributes
        case .hello:
            guard header.id == protocolVersion else {
                throw WireError("the engine speaks version \(header.id) of the protocol, this agent \(protocolVersion)")
            }
        case .goodbye: end(String(decoding: body, as: UTF8.self))
        default: throw WireError("an agent understands no frame of type \(header.type)")
        }
    }

    /// What the client's environment becomes here; `job`: all that the agent has is there for it.
    private func placed(_ attributes: Attributes) -> [String] {
        let client = attributes[list: "env"] ?? []
        return attributes[integer: "job"] == 1
            ? NodeEnvironment.ofJob(client: client, agent: processEnvironment(), node: node)
            : NodeEnvironment.of(client: client, agent: processEnvironment(), node: node)
    }

    /// - Parameter descriptors: its own ends of the three streams, where the engine has made them; else they are made here and relayed.
    private func spawn(_ id: UInt32, _ attributes: Attributes, isConnected: Bool, descriptors: [Int32]) {
        do {
            var attributes = attributes
            let isProgram = attributes[list: "argv"] != nil
            if isProgram {
                let own = attributes[list: "variables"] ?? []
                attributes[list: "env"] = environment(environment(placed(attributes), with: gpuVariables), with: own)
                attributes[list: "variables"] = nil
            } else if !gpuVariables.isEmpty {
                // What the engine says of one worker goes before what is there for all.
                attributes[list: "variables"] = environment(gpuVariables, with: attributes[list: "variables"] ?? [])
            }
            let spawner = isProgram ? guardian : try forkServer().spawner
            if let limit = attributes[integer: "memory"], limit > 0 { memory?.watch(id, limit: UInt64(limit)) }
            guard descriptors.isEmpty else {
                addWorker(id, spawner, relayed: [])
                return spawner.spawn(
                    WorkerID(id), attributes, socket: descriptors[0], output: descriptors[1], errors: descriptors[2])
            }
            let streams = try ProcessStreams()
            addWorker(id, spawner, relayed: [streams.connection.ours, streams.output.ours, streams.errors.ours])
            // Without a connection its stream is over at once.
            if !isConnected { closeDescriptor(streams.connection.theirs) }
            spawner.spawn(
                WorkerID(id), attributes, socket: isConnected ? streams.connection.theirs : nil, output: streams.output.theirs,
                errors: streams.errors.theirs)
        } catch {
            memory?.ended(id)
            descriptors.forEach(closeDescriptor)
            engine.send(.spawnFailed, id: UInt64(id)) { $0.append(contentsOf: "\(error)".utf8) }
        }
    }

    private func addWorker(_ id: UInt32, _ spawner: Spawner, relayed descriptors: [Int32]) {
        workers[id] = AgentWorker(id: id, spawner: spawner, descriptors: descriptors, engine: engine, loop: loop) {
            [unowned self] in workers[$0.id] = nil
        }
    }

    /// No time for good words: the node may run out of memory meanwhile.
    private func usesTooMuch(_ id: UInt32, used: UInt64) {
        guard let worker = workers[id] else { return }
        engine.send(.memoryExceeded, id: UInt64(id)) { $0.append(integer: used) }
        worker.spawner.signal(WorkerID(id), SIGKILL)
    }

    private func forkServer() throws -> AgentForkServer {
        if let server, server.isUsable { return server }
        guard let setup else { throw WireError("the engine has not said how workers are started") }
        let new = try AgentForkServer(setup, after: server, guardian: guardian, loop: loop)
        new.spawner.onForked = { [unowned self] in forked($0, $1) }
        new.spawner.onEnded = { [unowned self] in processEnded($0, $1) }
        server = new
        return new
    }

    private func forked(_ worker: WorkerID, _ process: Int32) {
        if worker == server?.id { return }
        server?.hasForked()
        memory?.started(worker.rawValue, process)
        engine.send(.forked, id: UInt64(worker.rawValue)) { $0.append(integer: UInt32(process)) }
    }

    private func processEnded(_ id: WorkerID, _ end: ProcessEnd) {
        if let server, server.id == id { return forkServerEnded(server, end) }
        memory?.ended(id.rawValue)
        guard let worker = workers[id.rawValue] else { return }
        switch end {
        case .failed(let reason): worker.failed(reason)
        case .exited, .signalled, .memoryLimit, .taken: worker.ended(status: end.waitStatus, peak: 0)
        }
    }

    /// With the fork server its workers have died.
    private func forkServerEnded(_ server: AgentForkServer, _ end: ProcessEnd) {
        server.ended(end)
        for worker in workers.values where worker.spawner === server.spawner {
            memory?.ended(worker.id)
            worker.ended(status: SIGKILL, peak: 0)
        }
    }
}

/// This process's environment, `NAME=value`.
func processEnvironment() -> [String] {
    guard var entry = sl_environment() else { return [] }
    var variables: [String] = []
    while let text = entry.pointee {
        variables.append(String(cString: text))
        entry += 1
    }
    return variables
}

/// When those at the ends of a connection between nodes say that they live, and after which silence they are given up.
public enum Heartbeat {
    public static let interval: UInt64 = 15_000_000_000
    public static let silence: UInt64 = 60_000_000_000
}
