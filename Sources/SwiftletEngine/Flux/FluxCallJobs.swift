// SPDX-License-Identifier: BSD-3-Clause
import SwiftletCluster
import SwiftletFlux
import SwiftletWire

/// The jobs that run one call each, as data.
struct FluxCallJobs: Sendable {
    /// `NAME=value`, of the client.
    var environment: [String]
    var directory: String?
    /// How MPI ranks find each other; nil: Flux's default.
    var pmi: String?

    func spec(_ call: JobCall, _ directives: Attributes, after dependencies: [JobID]) -> Jobspec {
        var spec = Jobspec(command: call.command)
        spec.name = call.function
        spec.directory = directory
        spec.environment = environment.compactMap { FluxEnvironment.variable($0) }
        spec.tasks = directives[integer: "cores"] ?? 1
        spec.coresPerTask = directives[integer: "threads_per_core"] ?? 1
        spec.gpusPerTask = directives[integer: "gpus_per_core"] ?? 0
        spec.isExclusive = directives[integer: "exclusive"] == 1
        spec.nodes = directives[integer: "num_nodes"] ?? (spec.isExclusive ? 1 : nil)
        // Seconds are kept by the job's own process, from the start of the call; this is for the case that it cannot.
        if let limit = directives[number: "time_limit"], limit > 0 { spec.duration = limit.rounded(.up) + 60 }
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
        }
        return spec
    }

    /// Starts the ranks of a call, inside the instance that is its job.
    private func ranks(_ spec: Jobspec) -> [String] {
        var words = ["flux", "run", "--ntasks=\(spec.tasks)", "--cores-per-task=\(spec.coresPerTask)"]
        if spec.gpusPerTask > 0 { words += ["--gpus-per-task=\(spec.gpusPerTask)", "-o", "gpu-affinity=per-task"] }
        if let nodes = spec.nodes { words.append("--nodes=\(nodes)") }
        if let pmi { words += ["-o", "pmi=\(pmi)"] }
        return words
    }
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
