// SPDX-License-Identifier: BSD-3-Clause

/// The environment of what an agent starts: the client's, but for what says where somebody runs. That is the node's own, without the
/// agent's rank and step, which are nobody else's. Pure.
public enum NodeEnvironment {
    /// The variable that names the node, for workers: they keep their own place when they take over a client's environment.
    public static let nodeVariable = "SWIFTLET_NODE"

    /// - Parameters:
    ///   - client: the client's environment, `NAME=value`.
    ///   - agent: the agent's own.
    public static func of(client: [String], agent: [String], node: String) -> [String] {
        client.filter { !isPlace(name(of: $0)) } + agent.filter { isOfJob(name(of: $0)) } + ["\(nodeVariable)=\(node)"]
    }

    /// Of an environment, what says which GPUs a process sees.
    public static func gpuVariables(_ environment: [String]) -> [String] {
        environment.filter { ["CUDA_VISIBLE_DEVICES", "ROCR_VISIBLE_DEVICES"].contains(name(of: $0)) }
    }

    /// The same where the agent's job is there for this alone: its GPUs are the worker's.
    public static func ofJob(client: [String], agent: [String], node: String) -> [String] {
        of(client: client.filter { !gpuNames.contains(String(name(of: $0))) }, agent: agent, node: node)
            + agent.filter { gpuNames.contains(String(name(of: $0))) } + ["SWIFTLET_STEP=1"]
    }

    private static let gpuNames: Set<String> = [
        "CUDA_VISIBLE_DEVICES", "ROCR_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES", "GPU_DEVICE_ORDINAL", "ZE_AFFINITY_MASK",
    ]

    private static func name(of variable: String) -> Substring { variable.prefix { $0 != "=" } }

    /// Says where (and as which part of something larger) a process runs.
    private static func isPlace(_ name: Substring) -> Bool {
        name == nodeVariable
            || ["SLURM_", "SLURMD_", "SRUN_", "PMI_", "PMIX_", "PALS_", "OMPI_COMM_", "FLUX_"].contains { name.hasPrefix($0) }
    }

    /// Is said of the whole job, or of the node.
    private static func isOfJob(_ name: Substring) -> Bool {
        ["SLURM_JOB_", "SLURM_ARRAY_", "SLURM_SUBMIT_"].contains { name.hasPrefix($0) }
            || [
                "SLURM_CONF", "SLURM_CLUSTERS", "SLURM_CLUSTER_NAME", "SLURM_JOBID", "SLURM_RESTART_COUNT", "SLURMD_NODENAME",
                "SLURM_TOPOLOGY_ADDR", "FLUX_URI", "FLUX_JOB_ID", "FLUX_JOB_SIZE", "FLUX_JOB_NNODES",
            ].contains(String(name))
    }
}
