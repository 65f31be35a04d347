// SPDX-License-Identifier: BSD-3-Clause
import SwiftletModel

/// What is free on a node.
struct NodeState {
    let node: Node
    var isUp: Bool
    /// How many slots are on it, also those whose processes went down with it.
    private(set) var slots = 0
    private(set) var cores: Int
    private(set) var memory: UInt64
    /// Places in `node.gpus`, the largest first: the lowest is handed out first.
    private var gpus: [Int]
    /// Numbers of free cores by NUMA domain, in order; empty where cores are only counted.
    private var domains: [[Int]]
    /// One slot has it all.
    private var isTakenWhole = false
    /// Slots with GPUs that we have chosen, and with such that their launcher has.
    private(set) var gpuSlots = (ours: 0, launchers: 0)

    init(_ node: Node) {
        self.node = node
        isUp = node.isUp
        cores = node.coreCount ?? .max
        memory = node.memory ?? .max
        gpus = Array(node.gpus.indices.reversed())
        domains = node.domains.map { $0.sorted() }
    }

    var freeGPUs: Int { isTakenWhole ? 0 : gpus.count }

    func fits(_ need: NodeNeed) -> Bool {
        isUp && !isTakenWhole && need.cores <= cores && need.gpus <= gpus.count && need.memory <= memory
            && (!need.isWhole || slots == 0) && allowsGPUs(of: need)
    }

    /// Where a launcher chooses GPUs it may choose those that we have given to somebody.
    func allowsGPUs(of need: NodeNeed) -> Bool {
        need.gpus == 0 || (need.choosesGPUs ? gpuSlots.ours : gpuSlots.launchers) == 0
    }

    private mutating func countGPUSlot(_ placement: Slot.Placement, _ difference: Int) {
        guard !placement.gpus.isEmpty else { return }
        if placement.hasChosenGPUs { gpuSlots.launchers += difference } else { gpuSlots.ours += difference }
    }

    /// Whether it fits without taking anything that `other`, which waits for this node, needs.
    func fits(_ need: NodeNeed, beside other: NodeNeed) -> Bool {
        guard fits(need), !need.isWhole, !other.isWhole, need.canShareGPUs(with: other) else { return false }
        func leaves(_ mine: UInt64, _ theirs: UInt64, of free: UInt64) -> Bool {
            mine == 0 || (theirs <= free && mine <= free - theirs)
        }
        return leaves(UInt64(need.cores), UInt64(other.cores), of: UInt64(cores))
            && leaves(UInt64(need.gpus), UInt64(other.gpus), of: UInt64(gpus.count))
            && leaves(need.memory, other.memory, of: memory)
    }

    /// How many ranks could be put here, at most `most`.
    func room(for shape: Shape, most: Int) -> Int {
        guard fits(shape.need(1)) else { return 0 }
        return min(most, cores / shape.threads, shape.gpus == 0 ? .max : gpus.count / shape.gpus)
    }

    /// Hands out what fits; `index` is the node's place in the inventory.
    mutating func take(_ need: NodeNeed, ranks: Int, index: Int) -> Slot.Placement {
        slots += 1
        var placement = Slot.Placement(
            node: index, name: node.name, ranks: ranks, coreCount: need.cores, memory: need.memory)
        placement.hasChosenGPUs = need.choosesGPUs && need.gpus > 0
        defer { countGPUSlot(placement, 1) }
        for _ in 0..<need.gpus { placement.gpus.append(node.gpus[gpus.removeLast()]) }
        if need.isWhole {
            isTakenWhole = true
            placement.coreCount = node.coreCount ?? need.cores
            placement.cores = node.domains.flatMap { $0 }
            return placement
        }
        if node.coreCount != nil { cores -= need.cores }
        if node.memory != nil { memory -= need.memory }
        if !node.domains.isEmpty { placement.cores = takeCores(need.cores) }
        return placement
    }

    /// Takes back what a slot held here.
    mutating func giveBack(_ placement: Slot.Placement) {
        slots -= 1
        countGPUSlot(placement, -1)
        for gpu in placement.gpus { returnGPU(gpu) }
        if isTakenWhole {
            isTakenWhole = false
            return
        }
        if node.coreCount != nil { cores += placement.coreCount }
        if node.memory != nil { memory += placement.memory }
        for core in placement.cores { returnCore(core) }
    }

    /// Cores of one NUMA domain where one has enough, and the one with the least too many; else of as few domains as possible.
    private mutating func takeCores(_ count: Int) -> [Int] {
        var taken: [Int] = []
        while taken.count < count {
            let missing = count - taken.count
            let enough = domains.indices.filter { domains[$0].count >= missing }
            let domain =
                enough.min { (domains[$0].count, $0) < (domains[$1].count, $1) }
                ?? domains.indices.max { (domains[$0].count, -$0) < (domains[$1].count, -$1) }!
            taken += domains[domain].prefix(missing)
            domains[domain].removeFirst(min(missing, domains[domain].count))
        }
        return taken
    }

    private mutating func returnCore(_ core: Int) {
        guard let domain = node.domains.firstIndex(where: { $0.contains(core) }) else { return }
        let position = domains[domain].firstIndex { $0 > core } ?? domains[domain].endIndex
        domains[domain].insert(core, at: position)
    }

    private mutating func returnGPU(_ name: String) {
        // A name may stand there twice where somebody declared it so: then the one that is out comes back.
        guard let gpu = node.gpus.indices.first(where: { node.gpus[$0] == name && !gpus.contains($0) }) else { return }
        let position = gpus.firstIndex { $0 < gpu } ?? gpus.endIndex
        gpus.insert(gpu, at: position)
    }
}
