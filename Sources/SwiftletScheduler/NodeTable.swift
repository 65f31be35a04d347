// SPDX-License-Identifier: BSD-3-Clause
import SwiftletModel

/// The nodes with what is free on each, and the limits of the executor as a whole. Nothing in it is given out twice.
struct NodeTable {
    private(set) var nodes: [NodeState]
    let groupsSpanNodes: Bool
    /// What the limits leave; as large as can be where there is no limit.
    private(set) var freeCores: Int
    private(set) var freeWorkers: Int
    private let limits: (cores: Bool, workers: Bool)
    /// Counts the changes after which something may fit that did not fit before.
    private(set) var generation: UInt64 = 1
    /// What a task that has waited long enough needs on the nodes that are kept for it.
    private var reserved: [NodeNeed?] = []
    private var reservedCores = 0
    /// The task it is kept for: the number of the first one of its class.
    private(set) var reservedFor: UInt64?

    init(_ capacity: Capacity) {
        nodes = capacity.inventory.nodes.map(NodeState.init)
        groupsSpanNodes = capacity.inventory.groupsSpanNodes
        freeCores = capacity.cores ?? .max
        freeWorkers = capacity.workers ?? .max
        limits = (capacity.cores != nil, capacity.workers != nil)
    }

    /// Where a slot of this shape would be; nil where it does not fit now.
    ///
    /// Beside: without taking anything that the task needs which nodes are kept for.
    func plan(_ shape: Shape, beside: Bool = false) -> [Share]? {
        guard shape.cores <= freeCores, freeWorkers > 0 else { return nil }
        let beside = beside && reservedFor != nil
        if beside {
            guard freeWorkers > 1 || !limits.workers else { return nil }
            guard reservedCores <= freeCores, shape.cores <= freeCores - reservedCores else { return nil }
        }
        switch shape.spread {
        case .one:
            return tightest(for: shape.need(shape.ranks), beside: beside, except: []).map {
                [Share(node: $0, ranks: shape.ranks)]
            }
        case .evenly(let count): return even(shape, over: count, beside: beside)
        case .asNeeded: return fewest(shape, beside: beside)
        }
    }

    /// Hands out what was planned.
    mutating func take(_ shape: Shape, _ shares: [Share]) -> Slot {
        if limits.cores { freeCores -= shape.cores }
        if limits.workers { freeWorkers -= 1 }
        return Slot(
            placements: shares.map { nodes[$0.node].take(shape.need($0.ranks), ranks: $0.ranks, index: $0.node) })
    }

    /// Takes back a slot; `cores` is what it counted against the limit.
    mutating func giveBack(_ slot: Slot, cores: Int) {
        if limits.cores { freeCores += cores }
        if limits.workers { freeWorkers += 1 }
        for placement in slot.placements { nodes[placement.node].giveBack(placement) }
        generation += 1
    }

    /// A node is there or not. Slots on a node that is gone come back when their workers have ended.
    mutating func setUp(_ node: Int, _ isUp: Bool) {
        guard nodes.indices.contains(node), nodes[node].isUp != isUp else { return }
        nodes[node].isUp = isUp
        endReservation()
        generation += 1
    }

    private func fits(_ need: NodeNeed, on node: Int, beside: Bool) -> Bool {
        if beside, let other = reserved[node] { return nodes[node].fits(need, beside: other) }
        return nodes[node].fits(need)
    }

    /// The node that is left with the least: GPUs are spared first, then large gaps.
    private func tightest(for need: NodeNeed, beside: Bool, except: [Share]) -> Int? {
        var best: Int?
        for node in nodes.indices where fits(need, on: node, beside: beside) {
            guard !except.contains(where: { $0.node == node }) else { continue }
            if let other = best, !isTighter(nodes[node], than: nodes[other]) { continue }
            best = node
        }
        return best
    }

    private func isTighter(_ node: NodeState, than other: NodeState) -> Bool {
        (node.freeGPUs, node.cores, node.memory) < (other.freeGPUs, other.cores, other.memory)
    }

    private func even(_ shape: Shape, over count: Int, beside: Bool) -> [Share]? {
        guard count <= nodes.count else { return nil }
        var shares: [Share] = []
        for position in 0..<count {
            let ranks = shape.ranks / count + (position < shape.ranks % count ? 1 : 0)
            guard let node = tightest(for: shape.need(ranks), beside: beside, except: shares) else { return nil }
            shares.append(Share(node: node, ranks: ranks))
        }
        return shares
    }

    private func fewest(_ shape: Shape, beside: Bool) -> [Share]? {
        var rooms: [Share] = []
        for node in nodes.indices where !(beside && reserved[node] != nil) {
            let room = nodes[node].room(for: shape, most: shape.ranks)
            if room > 0 { rooms.append(Share(node: node, ranks: room)) }
        }
        rooms.sort { ($0.ranks, -$0.node) > ($1.ranks, -$1.node) }
        var (shares, missing): ([Share], Int) = ([], shape.ranks)
        for room in rooms where missing > 0 {
            let ranks = min(missing, room.ranks)
            shares.append(Share(node: room.node, ranks: ranks))
            missing -= ranks
        }
        return missing == 0 ? shares : nil
    }
}

// Nodes that are kept for a task which others have overtaken.
extension NodeTable {
    /// Keeps for task number `head` the nodes where least is missing for it.
    mutating func reserve(_ shape: Shape, for head: UInt64) {
        guard reservedFor != head else { return }
        reserved = Array(repeating: nil, count: nodes.count)
        reservedFor = head
        reservedCores = shape.cores
        generation += 1
        switch shape.spread {
        case .one: keep(shape.need(shape.ranks), nodes: 1)
        case .evenly(let count): keep(shape.need(-(-shape.ranks / count)), nodes: count)
        case .asNeeded:
            var missing = shape.ranks
            for node in nodes.indices.sorted(by: { nodes[$0].cores > nodes[$1].cores }) where missing > 0 {
                let most = NodeState(whole(nodes[node].node)).room(for: shape, most: missing)
                guard nodes[node].isUp, most > 0 else { continue }
                reserved[node] = shape.need(most)
                missing -= most
            }
        }
    }

    mutating func endReservation() {
        guard reservedFor != nil else { return }
        reservedFor = nil
        reserved = []
        generation += 1
    }

    private mutating func keep(_ need: NodeNeed, nodes count: Int) {
        func missing(_ node: NodeState) -> (Int, Int, UInt64) {
            (
                need.isWhole ? node.slots : max(0, need.cores - node.cores), max(0, need.gpus - node.freeGPUs),
                need.memory > node.memory ? need.memory - node.memory : 0
            )
        }
        let able = nodes.indices.filter { nodes[$0].isUp && NodeState(whole(nodes[$0].node)).fits(need) }
        let nearest = able.sorted { (missing(nodes[$0]), $0) < (missing(nodes[$1]), $1) }
        for node in nearest.prefix(count) { reserved[node] = need }
    }

    private func whole(_ node: Node) -> Node {
        var node = node
        node.isUp = true
        return node
    }
}

private func < (left: ((Int, Int, UInt64), Int), right: ((Int, Int, UInt64), Int)) -> Bool {
    left.0 == right.0 ? left.1 < right.1 : left.0 < right.0
}
