// SPDX-License-Identifier: BSD-3-Clause
public import SwiftletLaunch
public import SwiftletModel
import SwiftletScheduler
public import SwiftletStore
public import SwiftletWire

/// What a client asks of its engine, once, before anything else (frame CONFIGURE).
public struct EngineConfiguration: Sendable {
    /// How processes of workers come to be.
    public enum Launch: Sendable {
        /// A program that forks a worker on request (Python).
        case forkServer
        /// A program that is started for each worker (Swift).
        case program
    }

    public var launch: Launch
    public var argv: [String]
    public var environment: [String]
    public var directory: String?
    public var isWarm: Bool
    public var maxCores: Int?
    public var maxWorkers: Int?
    public var initBlobs: [BlobID]
    public var initRequest: RequestID?
    /// Nanoseconds that a warm worker's preparation may take; nil: it is not limited.
    var prepareLimit: UInt64?
    public var restartLimit: Int
    /// The nodes that calls run on; without any in CONFIGURE this machine, with as many cores as are asked for.
    public var inventory: Inventory
    /// Where jobs run that are jobs of Flux.
    var fluxCluster: FluxClusterSettings
    /// The system of jobs that runs every call, by its name; nil: workers do.
    public var jobSystem: String?
    /// The command by which engines of a node share one answer of the system; nil: this program's own.
    var sharing: [String]?
    /// Nanoseconds within which a job's outcome can be seen once it is written; nil: as long as network file systems take.
    public var visibleWithin: UInt64?
    /// The client's user name, for what the system of jobs allows it.
    public var user: String?
    /// Users beside this one and root whose entries in a store are trusted.
    public var trustedOwners: [UInt32]
    /// What starts processes on nodes; nil: everything runs on this machine.
    public var nodes: (any NodeLauncher)?
    /// The instance of Flux that starts workers; nil: none.
    var flux: FluxSettings?
    /// The agents are jobs of a batch system; nil: they are not.
    var agentJobs: AgentJobSettings?
    /// Each node of the inventory has an agent, which runs what need not be a step of its own.
    public var usesAgents: Bool
    /// Agents on this host are treated as those on others.
    var relaysAlways: Bool
    /// What a step of one process runs.
    public var stepWorker: [String]
    /// The variable by which GPUs are shown to a worker; nil: they are not managed.
    public var gpuVariable: String?
    /// What the client says about itself, for the provenance of outcomes.
    public var provenance: [String: HeaderValue]
    /// Bytes of payload before producers are asked to spool to files.
    public var memoryBudget: UInt64
    /// Numeric address of the interface at which workers on other nodes connect; nil: workers are on this node only.
    public var listenAddress: String?

    public init(_ attributes: Attributes) throws(WireError) {
        switch attributes[text: "launch"] ?? "forkserver" {
        case "forkserver": launch = .forkServer
        case "program": launch = .program
        case let other: throw WireError("CONFIGURE names the unknown launch \(other)")
        }
        switch attributes[text: "mode"] {
        case "fresh": isWarm = false
        case "warm": isWarm = true
        case let other: throw WireError("CONFIGURE names the unknown mode \(other ?? "(none)")")
        }
        guard let argv = attributes[list: "worker_argv"], !argv.isEmpty else { throw WireError("CONFIGURE has no worker_argv") }
        self.argv = argv
        environment = attributes[list: "worker_env"] ?? []
        directory = attributes[text: "worker_cwd"]
        jobSystem = attributes[text: "jobs"]
        user = attributes[text: "user"]
        sharing = attributes[list: "sharing"]
        visibleWithin = attributes[number: "visible_within"].map { UInt64(max(0, min($0, 1e6)) * 1e9) }
        fluxCluster = FluxClusterSettings(attributes)
        trustedOwners = (attributes[list: "trusted_owners"] ?? []).compactMap { UInt32($0) }
        provenance = attributes[text: "provenance"].flatMap(HeaderValue.members(ofJSON:)) ?? [:]
        maxCores = attributes[integer: "max_cores"]
        maxWorkers = attributes[integer: "max_workers"]
        initBlobs = []
        if let bytes = attributes[bytes: "init_blobs"] {
            for start in stride(from: 0, to: bytes.count - 7, by: 8) {
                initBlobs.append(BlobID((0..<8).reduce(0) { $0 | UInt64(bytes[start + $1]) << (8 * UInt64($1)) }))
            }
        }
        initRequest = attributes[integer: "init_request"].map { RequestID(UInt32($0)) }
        prepareLimit = attributes[number: "prepare_limit"].flatMap { $0 > 0 ? UInt64(min($0, 1e9) * 1e9) : nil }
        restartLimit = attributes[integer: "restart_limit"] ?? 0
        inventory = Inventory(nodes: [Node(name: "", coreCount: nil)])
        if let nodes = attributes[list: "nodes"], !nodes.isEmpty {
            inventory.nodes = try nodes.map { text throws(WireError) in try Node(text) }
        }
        stepWorker = attributes[list: "step_worker"] ?? []
        usesAgents = attributes[integer: "agents"] == 1
        relaysAlways = attributes[integer: "relay"] == 1
        switch attributes[text: "nodes_by"] {
        case nil, "flux": nodes = nil
        case "slurm":
            nodes = try Srun(attributes, environment: environment, hasGPUs: inventory.nodes.contains { !$0.gpus.isEmpty })
        case "jobs":
            agentJobs = AgentJobSettings(attributes)
            guard agentJobs != nil else { throw WireError("CONFIGURE does not say which jobs bring the agents") }
            nodes = AgentSteps()
        case let other?: throw WireError("CONFIGURE names the unknown launcher \(other)")
        }
        flux = try FluxSettings(attributes)
        gpuVariable = attributes[text: "gpu_variable"]
        inventory.groupsSpanNodes = attributes[integer: "groups_span_nodes"] == 1
        inventory.stepsChooseGPUs = usesAgents && nodes is Srun
        inventory.groupsAreSteps = launch == .forkServer
        memoryBudget = attributes[integer: "memory_budget"].map { UInt64(max(0, $0)) } ?? .max
        listenAddress = attributes[text: "listen_address"]
    }

    /// Agents may come to run workers.
    var hasAgents: Bool { usesAgents || agentJobs != nil || flux != nil }

    var capacity: Capacity {
        var capacity = Capacity(cores: maxCores, workers: isWarm ? nil : maxWorkers, inventory: inventory)
        capacity.startsLate = flux != nil
        return capacity
    }
}

extension ResourceRequest {
    /// A request as frame REQUEST carries it.
    init(_ attributes: Attributes) {
        self.init(
            cores: attributes[integer: "cores"] ?? 1,
            threadsPerCore: attributes[integer: "threads_per_core"] ?? 1,
            gpusPerCore: attributes[integer: "gpus_per_core"] ?? 0,
            memory: UInt64(max(0, attributes[integer: "memory"] ?? 0)),
            nodes: attributes[integer: "nodes"],
            isExclusive: attributes[integer: "exclusive"] == 1,
            isOversubscribed: attributes[integer: "oversubscribe"] == 1,
            timeLimit: attributes[number: "time_limit"].flatMap { $0 > 0 ? UInt64(min($0, 1e9) * 1e9) : nil },
            priority: attributes[integer: "priority"] ?? 0,
            restartLimit: attributes[integer: "restart_limit"],
            isCommand: attributes[integer: "command"] == 1)
        step = StepOptions(
            isAskedFor: attributes[integer: "step"] == 1, startsRanks: attributes[integer: "launched_ranks"] == 1,
            directory: attributes[text: "step_directory"],
            arguments: attributes[list: "step_arguments"] ?? [], nodes: attributes[integer: "step_nodes"],
            gpusPerCore: attributes[integer: "step_gpus"] ?? 0,
            isExclusive: attributes[integer: "step_exclusive"] == 1)
    }
}

extension Srun {
    /// As CONFIGURE says.
    init(_ attributes: Attributes, environment: [String], hasGPUs: Bool) throws(WireError) {
        guard let agent = attributes[list: "agent"] ?? attributes[text: "engine"].map({ [$0, "agent"] }), !agent.isEmpty else {
            throw WireError("CONFIGURE does not say where the engine's program is")
        }
        self.init(
            job: attributes[text: "slurm_job"], hasGPUs: hasGPUs, pmi: attributes[text: "slurm_pmi"], agent: agent,
            environment: environment)
    }
}
