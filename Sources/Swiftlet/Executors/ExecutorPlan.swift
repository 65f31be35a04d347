// SPDX-License-Identifier: BSD-3-Clause
import Glibc
import SwiftletWire

/// A configuration together with what was found at the place it names.
struct ExecutorPlan: Sendable {
    let configuration: ExecutorConfiguration
    /// nil: not in Slurm.
    let slurm: SlurmNodes?
    /// nil: not in an instance of Flux.
    let flux: FluxPlace?
    /// Where the program was when the executor was made; nil: that was removed.
    let directory = currentDirectory()
    /// The place of entries; nil: there are none.
    let cacheDirectory: String?
    /// What this process may use of its machine, where it runs a task and its executor is of this machine.
    private let slot: TaskSlot?
    private let maxCores: Int?
    private let maxWorkers: Int?
    /// GPUs that are shared out on this machine, and the variable that names them.
    private let gpus: (variable: String, words: [String])?

    /// How many workers wait for allocations or run at once where nobody says it.
    private static let srunsAtOnce = 64

    /// Finds out what is there.
    /// - Throws: ``TaskError`` (`refused`) where the configuration makes no sense, or what it names is not there.
    init(_ configuration: ExecutorConfiguration) async throws(TaskError) {
        try Self.check(configuration)
        self.configuration = configuration
        slot = configuration.site == .singleNode ? TaskSlot.own : nil
        cacheDirectory = try Self.absolute(configuration.cacheDirectory)
        switch configuration.site {
        case .slurmCluster:
            (slurm, flux, gpus, maxCores, maxWorkers) = (nil, nil, nil, nil, nil)
            guard CommandRunner.locate("sbatch", configuration.variables) != nil else {
                throw TaskError(.refused, "there is no sbatch in PATH: this machine is no part of a Slurm cluster")
            }
        case .fluxCluster:
            (slurm, gpus, maxCores, maxWorkers) = (nil, nil, nil, nil)
            flux = try await FluxPlace.find(address: nil, connects: false)
        case .fluxJob(let address):
            let place = try await FluxPlace.find(address: address, connects: true)
            (slurm, flux, gpus) = (nil, place, nil)
            maxCores = configuration.maxCores ?? place.cores
            maxWorkers = configuration.maxWorkers
        case .singleNode:
            (slurm, flux) = (nil, nil)
            try slot?.check(configuration)
            maxCores = configuration.maxCores ?? min(availableCores(), slot?.cores ?? .max)
            gpus = Self.gpus(in: configuration.variables)
            maxWorkers = configuration.maxWorkers
        case .slurmJob(let address):
            let nodes = try await SlurmNodes.find(address: address)
            (slurm, flux, gpus) = (nodes, nil, nil)
            if nodes.allocation == nil {
                maxCores = configuration.maxCores
                let isUnlimited = configuration.maxWorkers == nil && configuration.maxCores == nil
                maxWorkers = isUnlimited && !configuration.mode.isWarm ? Self.srunsAtOnce : configuration.maxWorkers
            } else {
                maxCores = configuration.maxCores ?? nodes.cores
                maxWorkers = configuration.maxWorkers
            }
        }
        if configuration.mode.isWarm, maxCores == nil, maxWorkers == nil {
            throw TaskError(.refused, "outside of an allocation warm workers need a number: say maxWorkers or maxCores")
        }
        let asked = configuration.resources
        if let flux, configuration.mode.isWarm, let maxWorkers, maxWorkers > flux.cores / asked.occupiedCores {
            throw TaskError(
                .refused,
                "\(maxWorkers) workers of \(asked.occupiedCores) cores are more than the \(flux.cores) cores of the instance")
        }
        try check(asked, limit: configuration.mode.isWarm && maxWorkers != nil ? nil : maxCores)
    }

    private static func check(_ configuration: ExecutorConfiguration) throws(TaskError) {
        if let maxCores = configuration.maxCores, maxCores < 1 {
            throw TaskError(.refused, "maxCores is \(maxCores); an executor needs at least 1")
        }
        if let maxWorkers = configuration.maxWorkers, maxWorkers < 1 {
            throw TaskError(.refused, "maxWorkers is \(maxWorkers); an executor needs at least 1")
        }
        guard configuration.restartLimit >= 0 else {
            throw TaskError(.refused, "restartLimit is \(configuration.restartLimit); it cannot be negative")
        }
        guard configuration.startLimit > .zero else {
            throw TaskError(.refused, "startLimit is \(configuration.startLimit); it must be longer than nothing")
        }
        if let limit = configuration.mode.prepareLimit, limit <= .zero {
            throw TaskError(.refused, "within is \(limit): prepare() cannot be done in no time")
        }
        try configuration.resources.validate(maxCores: nil)
        try SystemText.check(configuration.environment, of: "the executor")
        try SystemText.check(configuration.program, "program of the executor")
        try SystemText.check(configuration.cacheDirectory, "cacheDirectory")
    }

    /// - Throws: ``TaskError`` (`refused`) where the directory cannot be made.
    private static func absolute(_ directory: String?) throws(TaskError) -> String? {
        guard let directory else { return nil }
        var made = ""
        for part in directory.split(separator: "/", omittingEmptySubsequences: false) {
            made += part
            if !made.isEmpty { mkdir(made, 0o777) }
            made += "/"
        }
        guard let path = realpath(directory, nil) else {
            throw TaskError(.refused, "the cache directory \(directory) cannot be made: \(String(cString: strerror(errno)))")
        }
        defer { free(path) }
        var info = stat()
        guard stat(path, &info) == 0, info.st_mode & S_IFMT == S_IFDIR else {
            throw TaskError(
                .refused, "the cache directory \(directory) is no directory: choose another cacheDirectory, or remove the file")
        }
        guard access(path, R_OK | W_OK | X_OK) == 0 else {
            throw TaskError(.refused, "the cache directory \(directory) cannot be used: \(String(cString: strerror(errno)))")
        }
        return String(cString: path)
    }

    /// Tasks are jobs that outlive the program.
    var isCluster: Bool {
        switch configuration.site {
        case .slurmCluster, .fluxCluster: true
        case .singleNode, .slurmJob, .fluxJob: false
        }
    }
    /// External programs, too, are run by workers.
    var needsWorkers: Bool { configuration.mode.isWarm || isCluster }

    private static func gpus(in variables: [String]) -> (variable: String, words: [String])? {
        for name in ["ROCR_VISIBLE_DEVICES", "CUDA_VISIBLE_DEVICES"] {
            guard let variable = variables.first(where: { $0.hasPrefix("\(name)=") }) else { continue }
            let words = variable.dropFirst(name.utf8.count + 1).split(separator: ",").map(String.init)
            if !words.isEmpty { return (name, words) }
        }
        return nil
    }

    /// - Throws: ``TaskError`` (`refused`) for what a task asks for that it cannot get here.
    func check(_ resources: ResourceRequest) throws(TaskError) {
        if configuration.mode.isWarm { try checkWorkersMemory(resources) }
        try check(resources, limit: configuration.mode.isWarm ? configuration.resources.occupiedCores : maxCores)
    }

    /// A warm worker has its limit of memory from its start, whatever task it runs.
    private func checkWorkersMemory(_ resources: ResourceRequest) throws(TaskError) {
        guard let memory = resources.memory else { return }
        guard let most = configuration.resources.memory else {
            throw TaskError(
                .refused,
                "the task asks for \(memory) bytes of memory, but the executor's warm workers have no limit: give them one with "
                    + "memory in the resources of the configuration, or use mode .fresh, where each task has its own")
        }
        guard memory > most else { return }
        throw TaskError(
            .refused,
            "the task asks for \(memory) bytes of memory, each warm worker has \(most): raise memory in the resources of the "
                + "configuration, or use mode .fresh")
    }

    private func check(_ resources: ResourceRequest, limit: Int?) throws(TaskError) {
        try resources.validate(maxCores: limit)
        if isCluster {
            if resources.isStep || resources.restartLimit != nil {
                throw TaskError(.refused, "isStep and restartLimit are not for tasks that are jobs of their own")
            }
            if resources.usesMPI || resources.nodes ?? 1 > 1 {
                throw TaskError(
                    .refused,
                    "a task that is a job of its own is of one node, and its ranks are no MPI: nodes and usesMPI are for .slurmJob "
                        + "and .fluxJob")
            }
            if flux != nil { try FluxRequest.check(resources, options: FluxRequest.jobOptions) }
            return
        }
        if let flux {
            try FluxRequest.check(resources, options: [])
            return try check(resources, largestNode: flux.largestNode, nodes: flux.nodeCount)
        }
        if let slurm {
            guard slurm.allocation != nil else { return }
            try check(resources, largestNode: slurm.largestNode, nodes: slurm.nodes.count)
            if resources.gpusPerCore > 0, !slurm.hasGPUs {
                throw TaskError(
                    .refused, "gpusPerCore is \(resources.gpusPerCore), but the allocation has no GPUs (--gres=gpu:N)")
            }
            return
        }
        if resources.isExclusive || resources.isStep || !resources.launcherArguments.isEmpty || resources.usesMPI
            || resources.nodes != nil
        {
            throw TaskError(
                .refused, "isExclusive, isStep, launcherArguments, usesMPI and nodes are for executors on Slurm and Flux")
        }
        if let memory = resources.memory, let most = slot?.memory, memory > most {
            throw TaskError(
                .refused,
                "the task asks for \(memory) bytes of memory, the task in which its executor was made has \(most): give that more, or ask "
                    + "for less")
        }
        let wanted = resources.cores * resources.gpusPerCore
        if wanted > (gpus?.words.count ?? 0) {
            throw TaskError(
                .refused,
                "the task asks for \(wanted) GPUs, CUDA_VISIBLE_DEVICES (or ROCR_VISIBLE_DEVICES) names \(gpus?.words.count ?? 0)"
            )
        }
    }

    private func check(_ resources: ResourceRequest, largestNode: Int, nodes: Int) throws(TaskError) {
        if resources.threadsPerCore > largestNode {
            throw TaskError(
                .refused,
                "threadsPerCore is \(resources.threadsPerCore), the largest node has \(largestNode) cores, and a rank is on one node"
            )
        }
        if let wanted = resources.nodes, wanted > nodes {
            throw TaskError(.refused, "the task asks for \(wanted) nodes, there are \(nodes)")
        }
    }

    /// Whether a launcher starts the ranks: where they are to use MPI, or be on several nodes.
    private func launchesRanks(_ resources: ResourceRequest) -> Bool {
        let largestNode = flux?.largestNode ?? (slurm?.allocation == nil ? .max : slurm?.largestNode ?? .max)
        return resources.cores > 1
            && (resources.usesMPI || resources.nodes ?? 1 > 1 || resources.occupiedCores > largestNode)
    }

    /// As frame CONFIGURE carries it.
    func attributes() throws(TaskError) -> Attributes {
        let mode = configuration.mode
        let build = try BuildIdentity.expected(of: configuration.program)
        var attributes = Attributes()
        attributes[text: "launch"] = "program"
        attributes[text: "mode"] = mode.isWarm ? "warm" : "fresh"
        attributes[integer: "max_workers"] =
            mode.isWarm ? maxWorkers ?? max(1, (maxCores ?? 1) / configuration.resources.occupiedCores) : maxWorkers
        attributes[integer: "max_cores"] = mode.isWarm ? nil : maxCores
        attributes[integer: "restart_limit"] = configuration.restartLimit
        attributes[number: "prepare_limit"] = mode.prepareLimit?.inSeconds
        attributes[list: "worker_env"] = configuration.variables
        attributes[text: "worker_cwd"] = directory
        if cacheDirectory != nil { attributes[text: "provenance"] = JobProvenance.ofProgram }
        if isCluster, let cacheDirectory {
            attributes[text: "jobs"] = flux == nil ? "slurm" : "flux"
            flux?.addInstance(to: &attributes)
            attributes[text: "user"] = JobProvenance.user
            attributes[number: "visible_within"] = FileVisibility.seconds(in: cacheDirectory)
            let program = try sharedProgram()
            attributes[list: "worker_argv"] = [program, ProcessRole.job, build.text]
            // Asked also when the file of this program is gone: a job that can write no outcome is seen by nothing else.
            attributes[list: "sharing"] = [configuration.program ?? "/proc/\(getpid())/exe", ProcessRole.sharing]
            return attributes
        }
        // On another node it is the agent's own program.
        let isHere = slurm == nil && flux == nil
        let program = isHere ? configuration.program ?? "/proc/self/exe" : "/proc/self/exe"
        attributes[list: "worker_argv"] = [program, ProcessRole.worker, build.text]
        if let flux {
            try flux.add(to: &attributes, program: try sharedProgram(), build: build.text)
        } else if let slurm {
            slurm.add(to: &attributes, program: try sharedProgram(), build: build.text, environment: configuration.variables)
        } else if gpus != nil || slot?.memory != nil {
            attributes[text: "gpu_variable"] = gpus?.variable
            let words = [
                gpus.map { "gpus=" + $0.words.joined(separator: ",") }, slot?.memory.map { "memory=\($0)" },
            ]
            attributes[list: "nodes"] = [words.compactMap(\.self).joined(separator: " ")]
        }
        return attributes
    }

    /// The path at which other nodes find the workers' program.
    private func sharedProgram() throws(TaskError) -> String {
        if let named = configuration.program { return named }
        guard let path = realpath("/proc/self/exe", nil) else {
            throw TaskError(
                .refused, "the file of this program is not there any more, and other nodes could not start it: name one")
        }
        defer { free(path) }
        return String(cString: path)
    }

    /// As frame REQUEST carries it.
    func attributes(of resources: ResourceRequest, isCommand: Bool) -> Attributes {
        var attributes = resources.attributes
        attributes[integer: "command"] = isCommand ? 1 : nil
        if isCluster {
            // The job starts its ranks itself: for Slurm it is one process.
            attributes[integer: "ranks"] = resources.cores
            attributes[integer: "cores"] = nil
            attributes[integer: "threads_per_core"] = resources.occupiedCores
            attributes[integer: "gpus_per_core"] = resources.gpusPerCore == 0 ? nil : resources.cores * resources.gpusPerCore
            if flux != nil {
                FluxRequest.addOptions(of: resources, to: &attributes)
            } else if !resources.launcherArguments.isEmpty {
                attributes[list: "batch_options"] = resources.launcherArguments.map { String($0.drop { $0 == "-" }) }
            }
            return attributes
        }
        guard slurm != nil || flux != nil else { return attributes }
        if launchesRanks(resources) { attributes[integer: "launched_ranks"] = 1 }
        if slurm?.allocation == nil {
            attributes[integer: "step_nodes"] = resources.nodes
            attributes[integer: "nodes"] = nil
            // Nobody knows the nodes that srun or Flux will give: what is asked of them is for it alone.
            attributes[integer: "step_exclusive"] = resources.isExclusive ? 1 : nil
            attributes[integer: "step_gpus"] = resources.gpusPerCore == 0 ? nil : resources.gpusPerCore
            attributes[integer: "exclusive"] = nil
            attributes[integer: "gpus_per_core"] = nil
        }
        // An agent's tasks have no limit of memory that Slurm would see to. In Flux the agent sees to it, and to no job of its own.
        let isLimitedBySlurm = slurm != nil && resources.memory != nil
        if resources.isStep || isLimitedBySlurm || !resources.launcherArguments.isEmpty { attributes[integer: "step"] = 1 }
        if !resources.launcherArguments.isEmpty { attributes[list: "step_arguments"] = resources.launcherArguments }
        return attributes
    }
}
