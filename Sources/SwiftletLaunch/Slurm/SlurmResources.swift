// SPDX-License-Identifier: BSD-3-Clause

/// What one call asks of Slurm.
public struct SlurmResources: Hashable, Sendable {
    /// MPI ranks: Slurm's tasks.
    public var ranks = 1
    /// Hardware threads of each rank.
    public var threads = 1
    /// GPUs of each rank.
    public var gpus = 0
    public var nodes: Int?
    /// Nothing else runs on its nodes.
    public var exclusive = false
    /// Bytes on each node; 0: what the site gives.
    public var memory: UInt64 = 0
    /// Nanoseconds that the call may run; nil: what the site gives.
    public var timeLimit: UInt64?
    /// Slurm's own priority, for those who may set it.
    public var priority: Int?
    /// How ranks find each other, a word of `srun --mpi=list`; nil: the site's default.
    public var mpi: String?
    public var oversubscribe = false
    /// Further options by their long names without dashes, such as `partition`; nil for those without a value.
    public var options: [Option] = []

    public struct Option: Hashable, Sendable {
        public var name: String
        public var value: String?

        public init(_ name: String, _ value: String? = nil) {
            self.name = name
            self.value = value
        }

        /// `name=value`, or `name` alone.
        public init(parsing text: String) {
            let parts = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            self.init(String(parts[0]), parts.count == 2 ? String(parts[1]) : nil)
        }
    }

    public init() {}

    /// Options of sbatch and salloc, in the order in which a reader looks for them. What `options` names wins over what is
    /// derived: it is the user's word in Slurm's language.
    public var batchOptions: [Option] {
        // Slurm gives no more nodes than it has tasks for.
        var found = [Option("ntasks", "\(max(ranks, nodes ?? 1))"), Option("cpus-per-task", "\(threads)")]
        if gpus > 0 { found.append(Option("gpus-per-task", "\(gpus)")) }
        if let nodes { found.append(Option("nodes", "\(nodes)")) }
        if exclusive { found.append(Option("exclusive")) }
        if memory > 0 { found.append(Option("mem", Self.megabytes(memory))) }
        if let timeLimit { found.append(Option("time", "\(Self.minutes(timeLimit))")) }
        if let priority { found.append(Option("priority", "\(priority)")) }
        let named = Set(options.map(\.name))
        return found.filter { !named.contains($0.name) } + options
    }

    /// `srun` before the program of an MPI call, inside the job.
    public var stepCommand: [String] {
        var words = ["srun", "--kill-on-bad-exit=1", "--ntasks=\(ranks)", "--cpus-per-task=\(threads)"]
        if gpus > 0 { words.append("--gpus-per-task=\(gpus)") }
        if let nodes { words.append("--nodes=\(nodes)") }
        if exclusive { words.append("--exact") }
        if oversubscribe { words.append("--oversubscribe") }
        if let mpi { words.append("--mpi=\(mpi)") }
        return words
    }

    /// Slurm counts whole minutes, and we end the call ourselves at its second: rounded up, and one more as a backstop.
    static func minutes(_ nanoseconds: UInt64) -> UInt64 {
        let minute: UInt64 = 60_000_000_000
        return (nanoseconds + minute - 1) / minute + 1
    }

    static func megabytes(_ bytes: UInt64) -> String {
        let mebibyte: UInt64 = 1 << 20
        return "\((bytes + mebibyte - 1) / mebibyte)M"
    }
}
