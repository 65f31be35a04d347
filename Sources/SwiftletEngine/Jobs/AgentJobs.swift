// SPDX-License-Identifier: BSD-3-Clause
import CSwiftlet
import Glibc
import SwiftletCluster
import SwiftletLaunch
import SwiftletModel
import SwiftletScheduler
import SwiftletTransport
import SwiftletWire

/// Agents that are jobs of a batch system. Each is a place of the inventory, which is up while the agent is there. The system is
/// any `JobSystem`; the agent finds its ticket in a file of mode 0600 and removes it.
final class AgentJobs {
    private unowned let engine: Engine
    private let system: any JobSystem
    private let request: RequestID
    private let program: String
    private let files: TicketFiles
    private var places: AgentPlaces
    private var tickets: [Int: TicketID] = [:]
    /// How many jobs a place has had.
    private var attempts: [Int: Int] = [:]
    /// What the system says of jobs that wait.
    private var waits: [JobID: String] = [:]
    private var underWay = 0
    private var timer: UInt64 = 0
    private var isAsking = false
    private var onClosed: (() -> Void)?

    /// The most jobs of one submission.
    private static let batchLimit = 500

    init(engine: Engine, system: any JobSystem, _ settings: AgentJobSettings, count: Int) throws {
        self.engine = engine
        self.system = system
        request = settings.request
        program = settings.program
        places = AgentPlaces(count: count)
        files = try TicketFiles(in: settings.directory, loop: engine.loop)
        engine.guardian.removeAtEnd(settings.directory)
        system.onChange = { [unowned self] in changed($0) }
    }

    /// Queues a job for each place, all at once.
    func start() {
        guard !system.limits.areKnown else { return carryOut(places.start()) }
        system.onLimits = { [unowned self] _ in carryOut(places.start()) }
    }

    func came(_ node: Int) {
        places.came(node, at: now)
        askForTimes()
    }

    func lost(_ node: Int, _ reason: String) { carryOut(places.lost(node, reason, at: now)) }

    /// What a call waits for while no place has an agent.
    var words: String {
        let waiting = places.jobs.filter { job in places.place(of: job).map { !places.hasAgent($0) } ?? false }
        guard !waiting.isEmpty else { return "" }
        let reasons = Set(waiting.compactMap { waits[$0] }).sorted()
        return "; \(waiting.count == 1 ? "job" : "jobs") of \(system.limits.system) in the queue: "
            + waiting.prefix(10).map(\.description).joined(separator: ", ") + (waiting.count > 10 ? ", …" : "")
            + (reasons.isEmpty ? "" : " (\(reasons.joined(separator: ", ")))")
    }

    func describe(answer: @escaping (String) -> Void) {
        guard let configuration = engine.configuration else { return }
        system.describe(batch(Array(configuration.inventory.nodes.indices)), answer: answer)
    }

    /// Ends the agents, takes waiting jobs out of the queue, and calls `then` when that is done.
    func close(then: @escaping () -> Void) {
        guard onClosed == nil else { return }
        onClosed = then
        engine.loop.cancel(timer: timer)
        carryOut(places.close())
        for agent in engine.agents.values { agent.link.close() }
        engine.agents = [:]
        finishIfIdle()
    }

    /// Asks how long the jobs of new agents run: once for all that come within a second, and of which the number is known by then.
    private func askForTimes() {
        guard !isAsking, onClosed == nil else { return }
        isAsking = true
        engine.loop.schedule(after: 1_000_000_000) { [unowned self] in
            isAsking = false
            let jobs = engine.agents.values.filter { $0.endsAt == nil }.compactMap { places.job(of: $0.node) }
            guard onClosed == nil, !jobs.isEmpty else { return }
            system.timesLeft(of: jobs) { [unowned self] times in
                for (job, seconds) in times {
                    guard let place = places.place(of: job) else { continue }
                    engine.agents[place]?.endsAt = sl_monotonic_ns() + UInt64(max(0, min(seconds, 1e9)) * 1e9)
                }
            }
        }
    }

    private func finishIfIdle() {
        guard underWay == 0, let then = onClosed else { return }
        system.finish(then: then)
    }

    private var now: Instant { Instant(nanoseconds: sl_monotonic_ns()) }

    private func carryOut(_ actions: [AgentPlacesAction]) {
        for action in actions {
            switch action {
            case .queue(let nodes):
                let most = min(Self.batchLimit, max(1, system.limits.arraySize))
                for start in stride(from: 0, to: nodes.count, by: most) {
                    queue(Array(nodes[start..<min(nodes.count, start + most)]))
                }
            case .cancel(let jobs): system.cancel(jobs)
            case .lost(let node, let reason): if let agent = engine.agents[node] { engine.agentIsGone(agent, reason) }
            case .giveUp(let reason): engine.apply(.poolGivenUp(reason))
            case .wake(let instant):
                engine.loop.cancel(timer: timer)
                timer = engine.loop.schedule(at: instant.nanoseconds) { [unowned self] in carryOut(places.timePassed(at: now)) }
            }
        }
    }

    private func name(of node: Int) -> String {
        "\(engine.configuration?.inventory.nodes[node].name ?? "").\(attempts[node] ?? 0)"
    }

    private func batch(_ nodes: [Int]) -> JobBatch {
        let calls = nodes.map { node in
            JobCall(
                key: name(of: node), function: "swiftlet_worker", path: files.path(name(of: node)),
                command: [program, "agent", "--tickets", files.directory, name(of: node)], tasks: [])
        }
        return JobBatch(
            request: request, directives: engine.directives[request] ?? Attributes(), calls: calls, dependencies: [],
            runsEntries: false)
    }

    private func queue(_ nodes: [Int]) {
        var written: [(name: String, ticket: Ticket)] = []
        do {
            let listener = try engine.runningListener()
            for node in nodes {
                if let old = tickets[node] { listener.withdraw(old) }
                attempts[node, default: 0] += 1
                let ticket = listener.expect(isAgent: true) { [unowned engine] in engine.greet($0) }
                tickets[node] = ticket.id
                written.append((name(of: node), ticket))
            }
        } catch {
            return carryOut(places.refused(nodes, JobRefusal(reason: "\(error)"), at: now))
        }
        underWay += 1
        let batch = batch(nodes)
        files.write(written) { [unowned self] fault in
            if let fault { return answered(nodes, .failure(JobRefusal(reason: fault))) }
            system.submit(batch) { [unowned self] in answered(nodes, $0) }
        }
    }

    private func answered(_ nodes: [Int], _ answer: Result<[JobID], JobRefusal>) {
        underWay -= 1
        switch answer {
        case .success(let jobs):
            engine.log.write("workers are jobs \(jobs.map(\.description).joined(separator: " "))")
            carryOut(onClosed == nil ? places.queued(nodes, jobs) : [.cancel(jobs)])
            if nodes.contains(where: places.hasAgent) { askForTimes() }
        case .failure(let refusal): carryOut(places.refused(nodes, refusal, at: now))
        }
        finishIfIdle()
    }

    private func changed(_ jobs: [JobID: JobStatus]) {
        for (job, status) in jobs {
            waits[job] = nil
            switch status {
            case .waiting(let reason): waits[job] = reason
            case .running: break
            case .ended(let reason): carryOut(places.ended(job, reason ?? "job \(job) has ended", at: now))
            case .refused(let reason): carryOut(places.cannotRun(job, reason, at: now))
            case .unknown:
                carryOut(places.ended(job, "\(system.limits.system) does not know job \(job) any more", at: now))
            }
        }
    }
}

/// What CONFIGURE says of agents that are jobs.
public struct AgentJobSettings: Sendable {
    /// The system, by its name.
    let system: String
    /// What each job asks for.
    let request: RequestID
    /// This engine's program, as the nodes see it.
    let program: String
    /// A directory for tickets and for what the jobs print, which the nodes share; made here, removed at the end.
    let directory: String

    /// nil where agents are none.
    init?(_ attributes: Attributes) {
        guard let system = attributes[text: "agent_jobs"], let request = attributes[integer: "job_request"],
            let program = attributes[text: "engine"], let directory = attributes[text: "job_directory"]
        else { return nil }
        self.system = system
        self.request = RequestID(UInt32(truncatingIfNeeded: request))
        self.program = program
        self.directory = directory
    }
}

/// In a job that is an agent's alone every worker is the agent's; a group of ranks is a step of the job.
struct AgentSteps: NodeLauncher {
    func agents(on nodes: [String]) -> LaunchCommand { LaunchCommand(arguments: ["swiftlet", "agent"], environment: []) }
    func step(_ request: ResourceRequest, in slot: Slot, program: [String]) -> LaunchCommand {
        LaunchCommand(arguments: program, environment: [])
    }
    func cancel(step: String) -> LaunchCommand? { nil }
}
