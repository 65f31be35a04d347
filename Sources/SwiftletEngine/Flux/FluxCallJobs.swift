// SPDX-License-Identifier: BSD-3-Clause
import SwiftletCluster
import SwiftletFlux
import SwiftletLaunch
import SwiftletWire

/// The jobs that run one call each, as data.
struct FluxCallJobs: Sendable {
    /// `NAME=value`, of the client.
    var environment: [String]
    var directory: String?
    /// How MPI ranks find each other; nil: Flux's default.
    var pmi: String?

    /// How many calls of its batch a job is told of.
    static let share = 32

    /// Whether the jobs of a batch run each other's calls. Instances and a user's script have one each.
    static func areShared(_ batch: JobBatch) -> Bool {
        batch.runsEntries && batch.calls.count > 1 && !batch.hasTemplate && batch.directives[integer: "nesting"] != 1
            && batch.directives[integer: "cores"] ?? 1 == 1
    }

    /// The calls of its batch that the job of `calls[index]` may run beside its own: each job has others first, and the first
    /// few jobs have all of them.
    static func others(_ index: Int, in calls: [JobCall]) -> [String] {
        let begin = calls.count <= share ? index : index * share
        return (0..<min(share, calls.count)).map { (begin + $0) % calls.count }.filter { $0 != index }.map { calls[$0].key }
    }

    /// - Parameter others: keys of calls that the job may run, too.
    func spec(
        _ call: JobCall, _ directives: Attributes, after dependencies: [JobID], others: [String] = []
    ) -> Jobspec {
        var spec = Jobspec(command: others.isEmpty ? call.command : Self.sharing(call, others))
        spec.name = call.function
        spec.directory = directory
        spec.environment = environment.compactMap { FluxEnvironment.variable($0) }
        spec.askFor(directives)
        // Seconds are kept by the job's own process, from the start of the call; this is for the case that it cannot.
        if let limit = directives[number: "time_limit"], limit > 0 { spec.duration = limit.rounded(.up) + 60 }
        // The time of a job that runs one call after the other is Flux's affair.
        if let limit = directives[number: "job_time"], limit > 0 { spec.duration = limit }
        spec.queue = directives[text: "queue"]
        spec.bank = directives[text: "bank"]
        spec.dependencies = dependencies.map {
            Jobspec.Dependency(scheme: "afterok", value: FluxJobID(Int64(bitPattern: $0.number)).ascii)
        }
        let nests = directives[integer: "nesting"] == 1
        if nests || spec.tasks > 1 {
            // Ranks are started, timed and heard of by a process of ours, in an instance that is their job.
            spec.command = ["flux", "broker"] + call.command + (nests ? [] : ["--step"] + ranks(spec))
            spec.onePerNode = true
            spec.options["mpi"] = "none"
            spec.options["exit-timeout"] = "none"
        } else {
            spec.options["pmi"] = "off"
            // Where the broker is killed, tasks are left: the call's process looks after that.
            spec.environment.append((name: "SWIFTLET_ENDS_WITH_PARENT", value: "1"))
        }
        return spec
    }

    /// The command of a job that may run others' calls. Others may have run all of them: then nothing has to be started to find
    /// that out.
    private static func sharing(_ call: JobCall, _ others: [String]) -> [String] {
        let program = call.command.dropLast().map(ShellWord.quoted).joined(separator: " ")
        let script = """
            left() {
            test -e "$0/$1.outcome" && ! test -e "$0/$1.task" || return 0
            for key; do test -e "$0/$key.task" && ! test -e "$0/$key.run" && return 0; done
            return 1
            }
            if left "$@"; then exec \(program) --shared "$@"; fi
            """
        let directory = call.command.dropLast().last ?? ""
        return ["/bin/sh", "-c", script, directory, call.key] + others
    }

    /// A call as a script of the user's, which `flux batch` makes an instance.
    func script(_ call: JobCall, _ directives: Attributes, after dependencies: [JobID]) -> FluxScript {
        var spec = Jobspec(command: call.command)
        spec.askFor(directives)
        let words = call.command + (spec.tasks > 1 ? ["--step"] + ranks(spec) : [])
        let folder = String(call.path[..<(call.path.lastIndex(of: "/") ?? call.path.startIndex)])
        return FluxScript(
            commandLine: words.map(ShellWord.quoted).joined(separator: " "), name: SlurmBatch.jobName(call.function),
            directory: directives[text: "cwd"] ?? folder, dependencies: dependencies)
    }

    /// The environment of the `flux` command, which is what its jobs get.
    func commandEnvironment(_ uri: String?) -> [String] {
        environment.filter { FluxEnvironment.variable($0) != nil } + (uri.map { ["FLUX_URI=\($0)"] } ?? [])
    }

    /// Starts the ranks of a call, inside the instance that is its job. What the first one reads is meant for nobody else.
    private func ranks(_ spec: Jobspec) -> [String] {
        var words = ["flux", "run", "--input=0", "--ntasks=\(spec.tasks)", "--cores-per-task=\(spec.coresPerTask)"]
        // By default the others may wait for a rank that has died or left, for half a minute.
        words += ["-o", "exit-on-error", "-o", "exit-timeout=5s"]
        if spec.gpusPerTask > 0 { words += ["--gpus-per-task=\(spec.gpusPerTask)", "-o", "gpu-affinity=per-task"] }
        if let nodes = spec.nodes { words.append("--nodes=\(nodes)") }
        if let pmi { words += ["-o", "pmi=\(pmi)"] }
        return words
    }
}

extension Jobspec {
    /// The resources that a client's REQUEST names.
    fileprivate mutating func askFor(_ directives: Attributes) {
        tasks = directives[integer: "cores"] ?? 1
        coresPerTask = directives[integer: "threads_per_core"] ?? 1
        gpusPerTask = directives[integer: "gpus_per_core"] ?? 0
        isExclusive = directives[integer: "exclusive"] == 1
        nodes = directives[integer: "num_nodes"] ?? (isExclusive ? 1 : nil)
    }
}

/// What the engine knows of a script that the client renders, and how it is submitted. Pure.
struct FluxScript: Hashable, Sendable {
    var commandLine: String
    var name: String
    var directory: String
    /// Jobs that have to end well before this one starts.
    var dependencies: [JobID]

    /// What only the engine knows of the variables of a user's template.
    var variables: Attributes {
        templateVariables(
            command: commandLine, name: name, directory: directory, dependencies: dependencies.map(\.description))
    }

    /// Reads the script from its standard input. The script may say all else; these relations hold whatever it says.
    var command: [String] {
        ["flux", "batch"]
            + dependencies.map { "--dependency=afterok:\(FluxJobID(Int64(bitPattern: $0.number)).ascii)" }
    }

    /// The same, in the script's directory, which becomes the job's.
    var submission: [String] { ["/bin/sh", "-c", "mkdir -p \"$0\" && cd \"$0\" && exec \"$@\"", directory] + command }
}

/// Which of the client's variables a job gets.
enum FluxEnvironment {
    private static let own = [
        "FLUX_", "PMI_", "PMIX_", "PALS_", "OMPI_COMM_", "SLURM_", "SWIFTLET_SLOT", "SWIFTLET_NODE", "CUDA_VISIBLE_DEVICES",
    ]
    /// How to find Flux's own parts names an installation, not a job.
    private static let kept = [
        "FLUX_CONNECTOR_PATH", "FLUX_EXEC_PATH", "FLUX_MODULE_PATH", "FLUX_PMI_LIBRARY_PATH", "FLUX_CONF_DIR",
    ]

    /// Of `NAME=value`; nil for what says who the client itself is: in its own job, rank or instance.
    static func variable(_ text: String) -> (name: String, value: String)? {
        guard let equals = text.firstIndex(of: "="), equals != text.startIndex else { return nil }
        let name = String(text[..<equals])
        guard kept.contains(name) || !own.contains(where: { name.hasPrefix($0) }) else { return nil }
        return (name, String(text[text.index(after: equals)...]))
    }
}
