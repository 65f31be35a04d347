// SPDX-License-Identifier: BSD-3-Clause

/// What one node offers to the calls of an executor.
public struct Node: Hashable, Sendable {
    /// How the launcher calls it.
    public var name: String
    /// How many cores may be given out; nil: as many as are asked for.
    public var coreCount: Int?
    /// The numbers of its cores by NUMA domain, where they are ours alone: then each slot gets cores of its own.
    /// Empty where cores are only counted, as on a machine that others use too.
    public var domains: [[Int]]
    /// Its GPUs in the vendor's words: indices, UUIDs, MIG names.
    public var gpus: [String]
    /// Bytes of memory; nil: not counted.
    public var memory: UInt64?
    /// Whether slots can be had on it from the start; else it waits for `nodeUp`.
    public var isUp: Bool

    /// A node whose cores are counted.
    public init(name: String, coreCount: Int?, gpus: [String] = [], memory: UInt64? = nil, isUp: Bool = true) {
        self.name = name
        self.coreCount = coreCount
        domains = []
        self.gpus = gpus
        self.memory = memory
        self.isUp = isUp
    }

    /// A node whose cores are ours alone.
    public init(name: String, domains: [[Int]], gpus: [String] = [], memory: UInt64? = nil, isUp: Bool = true) {
        self.init(name: name, coreCount: domains.reduce(0) { $0 + $1.count }, gpus: gpus, memory: memory, isUp: isUp)
        self.domains = domains
    }
}

/// The nodes that an executor may use. A slot names them by their places here.
public struct Inventory: Hashable, Sendable {
    public var nodes: [Node]
    /// Whether a group of ranks that no single node can hold may be spread over several (the launcher reaches them all).
    public var groupsSpanNodes: Bool
    /// The launcher of steps chooses their GPUs itself and does not know which ones calls of agents have: on a node either these
    /// or those have GPUs at a time.
    public var stepsChooseGPUs = false
    /// Groups of ranks are steps, not only what asks to be one.
    public var groupsAreSteps = true

    public init(nodes: [Node], groupsSpanNodes: Bool = false) {
        self.nodes = nodes
        self.groupsSpanNodes = groupsSpanNodes
    }
}

/// What a worker holds until its processes are gone: on each node so many ranks, with cores, GPUs and memory.
public struct Slot: Hashable, Sendable {
    public struct Placement: Hashable, Sendable {
        /// Place of the node in the inventory.
        public var node: Int
        /// Its name.
        public var name: String
        /// How many ranks run there; the first placement has the lowest ranks.
        public var ranks: Int
        /// How many cores they hold together.
        public var coreCount: Int
        /// Their numbers, in the order of the ranks; empty where cores are only counted.
        public var cores: [Int]
        /// GPUs that nobody else has, in the order of the ranks.
        public var gpus: [String]
        /// Bytes of memory they may use; 0: not limited.
        public var memory: UInt64
        /// The GPUs are only counted: which ones it has is its launcher's choice.
        public var hasChosenGPUs = false

        public init(
            node: Int, name: String, ranks: Int, coreCount: Int, cores: [Int] = [], gpus: [String] = [], memory: UInt64 = 0
        ) {
            self.node = node
            self.name = name
            self.ranks = ranks
            self.coreCount = coreCount
            self.cores = cores
            self.gpus = gpus
            self.memory = memory
        }
    }

    public var placements: [Placement]

    public init(placements: [Placement] = []) { self.placements = placements }

    /// Cores on all its nodes.
    public var coreCount: Int { placements.reduce(0) { $0 + $1.coreCount } }
}
