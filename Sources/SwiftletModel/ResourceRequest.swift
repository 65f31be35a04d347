// SPDX-License-Identifier: BSD-3-Clause

/// What one call asks for.
public struct ResourceRequest: Hashable, Sendable {
    /// Number of ranks.
    public var cores: Int
    /// Hardware threads for each rank; counts against the capacity.
    public var threadsPerCore: Int
    /// GPUs for each rank.
    public var gpusPerCore: Int
    /// Bytes of memory, on each node it runs on; 0 where not limited.
    public var memory: UInt64
    /// Nodes over which the ranks are spread evenly; nil: one, or where that is too small and the launcher can, as few as possible.
    public var nodes: Int?
    /// Nothing else runs on its nodes.
    public var isExclusive: Bool
    /// The launcher may start more ranks than it sees cores.
    public var isOversubscribed: Bool
    /// Longest time the call may run, in nanoseconds from its start; nil: no limit.
    public var timeLimit: UInt64?
    /// Larger starts first among tasks that are ready.
    public var priority: Int
    /// How often a call that was running when its worker died is started again; nil: the executor's.
    public var restartLimit: Int?
    /// What only a launcher of job steps needs to know.
    public var step = StepOptions()
    /// An external program, which the engine starts itself: no worker runs it.
    public var isCommand: Bool

    public init(
        cores: Int = 1, threadsPerCore: Int = 1, gpusPerCore: Int = 0, memory: UInt64 = 0, nodes: Int? = nil,
        isExclusive: Bool = false, isOversubscribed: Bool = false, timeLimit: UInt64? = nil, priority: Int = 0,
        restartLimit: Int? = nil, isCommand: Bool = false
    ) {
        self.cores = cores
        self.threadsPerCore = threadsPerCore
        self.gpusPerCore = gpusPerCore
        self.memory = memory
        self.nodes = nodes
        self.isExclusive = isExclusive
        self.isOversubscribed = isOversubscribed
        self.timeLimit = timeLimit
        self.priority = priority
        self.restartLimit = restartLimit
        self.isCommand = isCommand
    }

    /// Several ranks: they are started as one group, by MPI.
    public var isGroup: Bool { cores > 1 }
    /// Cores that a slot for this request occupies.
    public var occupiedCores: Int { cores * threadsPerCore }
}
