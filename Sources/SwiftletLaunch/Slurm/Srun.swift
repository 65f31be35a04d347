// SPDX-License-Identifier: BSD-3-Clause
public import SwiftletModel

/// The command lines for srun, from what is known of the allocation and of the call. Pure.
public struct Srun: NodeLauncher, Hashable {
    /// The allocation that steps are started in; nil: srun asks for one, for each call or worker.
    public var job: String?
    /// Whether the allocation has GPUs.
    public var hasGPUs: Bool
    /// How MPI ranks find each other (`--mpi`); nil: the site's default.
    public var pmi: String?
    /// The command of an agent, whose program the nodes see at this path.
    public var agent: [String]
    /// What srun gets, without the variables by which a surrounding step or job would tell it what to do.
    public var environment: [String]

    /// Seconds that srun has to end a step.
    private static let grace = 3

    public init(job: String?, hasGPUs: Bool, pmi: String?, agent: [String], environment: [String]) {
        self.job = job
        self.hasGPUs = hasGPUs
        self.pmi = pmi
        self.agent = agent
        self.environment = Self.cleaned(environment)
    }

    /// One step over the nodes that starts an agent on each. It takes nothing that other steps could not have.
    public func agents(on nodes: [String]) -> LaunchCommand {
        var arguments = ["srun", "-N", "\(nodes.count)", "-n", "\(nodes.count)", "--ntasks-per-node=1"]
        if let job { arguments.append("--jobid=\(job)") }
        arguments += [
            "-w", nodes.joined(separator: ","), "--overlap", "--mpi=none", "--cpu-bind=none", "--mem=0", "--no-kill",
            "--kill-on-bad-exit=0", "--wait=0", "--job-name=swiftlet-agents",
        ]
        return command(arguments + agent)
    }

    /// A step that runs one worker: a process, or a group of MPI ranks. The ticket comes by srun's standard input.
    ///
    /// What executorlib passes stands in its order.
    public func step(_ request: ResourceRequest, in slot: Slot, program: [String]) -> LaunchCommand {
        let options = request.step
        let nodes = job == nil ? options.nodes : slot.placements.count
        var arguments = ["srun", "-n", "\(request.cores)"]
        if let directory = options.directory { arguments += ["-D", directory] }
        // A single process needs no PMI, and some of its kinds are slow to start.
        if let pmi = request.isGroup ? pmi : "none" { arguments.append("--mpi=\(pmi)") }
        if let nodes { arguments += ["-N", "\(nodes)"] }
        arguments.append("--cpus-per-task=\(request.threadsPerCore)")
        let gpus = job == nil ? options.gpusPerCore : request.gpusPerCore
        if gpus > 0 {
            arguments.append("--gpus-per-task=\(gpus)")
        } else if hasGPUs {
            // Else it would get all of them, and no other step could start beside it.
            arguments.append("--gres=none")
        }
        if job != nil || options.isExclusive { arguments.append(job != nil ? "--exact" : "--exclusive") }
        if request.isOversubscribed { arguments.append("--oversubscribe") }
        if let limit = request.timeLimit { arguments.append("--time=\(SlurmResources.minutes(limit))") }
        if request.memory > 0 { arguments.append("--mem=\(SlurmResources.megabytes(request.memory))") }
        if let job {
            arguments += ["-w", slot.placements.map(\.name).joined(separator: ","), "--jobid=\(job)"]
        }
        arguments += ["--kill-on-bad-exit=1", "--job-name=swiftlet"]
        return command(arguments + options.arguments + program)
    }

    /// Ends a step whose srun is gone.
    public func cancel(step: String) -> LaunchCommand? { command(["scancel", step], grace: 0) }

    private func command(_ arguments: [String], grace: Int = grace) -> LaunchCommand {
        LaunchCommand(arguments: arguments, environment: environment, grace: grace)
    }

    /// Without the variables that say who the client itself is: it may run as a rank of something else.
    static func cleaned(_ environment: [String]) -> [String] {
        SlurmCommands.environment(environment).filter { variable in
            !["PMI_", "PMIX_", "PALS_", "OMPI_COMM_", "FLUX_TASK_"].contains { variable.hasPrefix($0) }
        }
    }
}
