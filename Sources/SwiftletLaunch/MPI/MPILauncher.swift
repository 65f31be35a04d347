// SPDX-License-Identifier: BSD-3-Clause

/// How groups of MPI ranks are started on one node: an `mpiexec`, and the program that each rank is.
public struct MPILauncher: Hashable, Sendable {
    /// Whose `mpiexec` it is; the command lines differ.
    public enum Kind: String, Sendable {
        /// MPICH's Hydra, and what is made of it (Intel MPI, MVAPICH).
        case hydra
        case openmpi
    }

    public var kind: Kind
    /// Path of `mpiexec`.
    public var program: String
    /// What a rank is started with; the number of ranks is appended.
    public var worker: [String]

    public init(kind: Kind, program: String, worker: [String]) {
        self.kind = kind
        self.program = program
        self.worker = worker
    }

    /// The command line. It listens on the loopback interface only. Neither launcher binds: which cores the ranks get is decided by the slot. Neither asks a batch system it
    /// finds itself in: the group runs on this node.
    public func arguments(ranks: Int, oversubscribed: Bool) -> [String] {
        command(ranks: ranks, oversubscribed: oversubscribed) + worker + ["\(ranks)"]
    }

    /// The same up to what a rank is started with.
    public func command(ranks: Int, oversubscribed: Bool) -> [String] {
        let options: [String] =
            switch kind {
            case .hydra: ["-rmk", "user", "-launcher", "fork", "-iface", "lo", "-n", "\(ranks)"]
            case .openmpi: ["--bind-to", "none"] + (oversubscribed ? ["--oversubscribe"] : []) + ["-n", "\(ranks)"]
            }
        return [program] + options
    }

    /// Variables that the launcher needs, on top of what the ranks get.
    public func variables(isRoot: Bool) -> [String] {
        guard kind == .openmpi else { return [] }
        // Whoever runs an executor as root has decided that already. Ranks of other jobs may be on the node: nobody spins.
        let root = isRoot ? ["OMPI_ALLOW_RUN_AS_ROOT=1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1"] : []
        return root + ["PRTE_MCA_ras=^slurm,flux,pbs,lsf"]
    }
}
