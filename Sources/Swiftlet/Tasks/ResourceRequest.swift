// SPDX-License-Identifier: BSD-3-Clause
import SwiftletWire

/// What one task asks for.
public struct ResourceRequest: Hashable, Sendable {
    /// Ranks: so many processes run the task, each with its number in ``TaskContext/rank``. The value is that of rank 0, or
    /// of all (``Executor/submitToRanks(_:resources:after:cacheKey:)``).
    ///
    /// For a ``Command``: on Slurm and Flux so many MPI ranks of the program, over several nodes where one has not enough cores, on one
    /// machine the cores that it holds, which it starts its ranks on itself.
    public var cores: Int
    /// Slurm and Flux: over how many nodes the ranks are spread, evenly; then the launcher starts them (see ``usesMPI``). nil: one node, or
    /// as few as possible where one has not enough cores.
    public var nodes: Int?
    /// Slurm and Flux: the launcher starts each rank (srun, or Flux), with the site's PMI, so that ``RemoteTask/run()`` can call MPI, which
    /// then has the rank and the size of ``TaskContext``. Unless said otherwise the first rank starts the others on its node, within
    /// milliseconds, and without MPI.
    public var usesMPI: Bool
    /// Hardware threads of each rank; they count against the executor's cores.
    public var threadsPerCore: Int
    /// GPUs of each rank. On one machine those that `CUDA_VISIBLE_DEVICES` or `ROCR_VISIBLE_DEVICES` names are shared out.
    public var gpusPerCore: Int
    /// Bytes of memory that it may use, with everything it starts; nil: not limited. More ends it. The limit of a warm worker is that in the
    /// executor's configuration; a task that asks for more than that, or where it has none, is refused.
    public var memory: Int?
    /// The longest time it may run, from its start; then its worker is ended.
    public var timeLimit: Duration?
    /// The directory it runs in; nil: where the program was when the executor was made. A relative path begins where the program is when
    /// it submits.
    public var workingDirectory: String?
    /// Tasks with a larger number start first.
    public var priority: Int
    /// How often it is started again when its worker dies while it runs; nil: the executor's.
    public var restartLimit: Int?

    /// Slurm: nothing else of this executor runs on its node. Flux: a job that has a whole node.
    public var isExclusive: Bool
    /// Slurm: a job step of its own (srun) instead of a process of the agent on its node. Flux: a job of its own.
    public var isStep: Bool
    /// Slurm: further arguments of srun; then it is a step of its own. As a batch job: options of sbatch, or `--queue=` and `--bank=` of Flux.
    public var launcherArguments: [String]

    public init(
        cores: Int = 1, threadsPerCore: Int = 1, gpusPerCore: Int = 0, memory: Int? = nil, timeLimit: Duration? = nil,
        workingDirectory: String? = nil, priority: Int = 0,
        restartLimit: Int? = nil, isExclusive: Bool = false, isStep: Bool = false, launcherArguments: [String] = [],
        nodes: Int? = nil, usesMPI: Bool = false
    ) {
        self.cores = cores
        self.gpusPerCore = gpusPerCore
        self.memory = memory
        self.isExclusive = isExclusive
        self.isStep = isStep
        self.launcherArguments = launcherArguments
        self.threadsPerCore = threadsPerCore
        self.timeLimit = timeLimit
        self.workingDirectory = workingDirectory
        self.priority = priority
        self.restartLimit = restartLimit
        self.nodes = nodes
        self.usesMPI = usesMPI
    }

    /// Cores of the machine that it occupies; for a request that is valid.
    var occupiedCores: Int { cores * threadsPerCore }

    /// - Throws: ``TaskError`` (`refused`) that names what makes no sense.
    func validate(maxCores: Int?) throws(TaskError) {
        func require(_ holds: Bool, _ text: @autoclosure () -> String) throws(TaskError) {
            if !holds { throw TaskError(.refused, text()) }
        }
        try require(cores >= 1, "cores is \(cores); at least 1 is needed")
        try require(gpusPerCore >= 0, "gpusPerCore is \(gpusPerCore); it cannot be negative")
        try require(memory.map { $0 > 0 } ?? true, "memory is \(memory ?? 0) bytes; it must be more than none")
        try require(threadsPerCore >= 1, "threadsPerCore is \(threadsPerCore); at least 1 is needed")
        try require(timeLimit.map { $0 > .zero } ?? true, "timeLimit is \(timeLimit ?? .zero); it must be longer than nothing")
        if let nodes {
            try require(nodes >= 1, "nodes is \(nodes); at least 1 is needed")
            try require(nodes <= cores, "nodes is \(nodes), more than cores, \(cores): each node needs a rank")
        }
        try require(
            !cores.multipliedReportingOverflow(by: threadsPerCore).overflow,
            "the task asks for \(cores) cores with \(threadsPerCore) threads each; nothing has so many")
        try require(
            !cores.multipliedReportingOverflow(by: gpusPerCore).overflow,
            "the task asks for \(cores) times \(gpusPerCore) GPUs; nothing has so many")
        try SystemText.check(workingDirectory, "workingDirectory")
        for argument in launcherArguments { try SystemText.check(argument, "\"\(argument)\" of launcherArguments") }
        try require((restartLimit ?? 0) >= 0, "restartLimit is \(restartLimit ?? 0); it cannot be negative")
        if let maxCores {
            try require(
                occupiedCores <= maxCores,
                "the task asks for \(occupiedCores) cores, the executor has \(maxCores): ask for fewer, or raise maxCores")
        }
    }

    /// As frame REQUEST carries it. What only the worker needs (the directory) is not in there.
    var attributes: Attributes {
        var attributes = Attributes()
        attributes[integer: "cores"] = cores == 1 ? nil : cores
        attributes[integer: "threads_per_core"] = threadsPerCore
        attributes[integer: "gpus_per_core"] = gpusPerCore == 0 ? nil : gpusPerCore
        attributes[integer: "memory"] = memory
        attributes[integer: "nodes"] = nodes
        attributes[integer: "exclusive"] = isExclusive ? 1 : nil
        attributes[number: "time_limit"] = timeLimit.map {
            $0.inSeconds
        }
        attributes[integer: "priority"] = priority
        attributes[integer: "restart_limit"] = restartLimit
        return attributes
    }
}
