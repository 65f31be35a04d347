// SPDX-License-Identifier: BSD-3-Clause
import SwiftletModel
import SwiftletScheduler
import Testing

/// Keeps its own books of what was handed out, core by core, and says what would still fit.
struct SlotWatch {
    private struct Books {
        var cores: Set<Int> = []
        var counted = 0
        var gpus: Set<String> = []
        var memory: UInt64 = 0
        var slots = 0
        var isWhole = false
    }

    let capacity: Capacity
    private var books: [Books]
    private var up: [Bool]

    init(_ capacity: Capacity) {
        self.capacity = capacity
        books = Array(repeating: Books(), count: capacity.inventory.nodes.count)
        up = capacity.inventory.nodes.map(\.isUp)
    }

    mutating func set(_ node: Int, isUp: Bool) { up[node] = isUp }
    func isUp(_ node: Int) -> Bool { up[node] }

    mutating func handedOut(_ slot: Slot, for request: ResourceRequest) {
        #expect(slot.placements.reduce(0) { $0 + $1.ranks } == request.cores)
        #expect(request.nodes == nil || slot.placements.count == request.nodes)
        #expect(Set(slot.placements.map(\.node)).count == slot.placements.count, "a node stands there twice")
        for placement in slot.placements {
            let node = capacity.inventory.nodes[placement.node]
            #expect(up[placement.node], "\(node.name) is down")
            #expect(!books[placement.node].isWhole, "\(node.name) belongs to one call")
            #expect(!request.isExclusive || books[placement.node].slots == 0)
            for core in placement.cores { #expect(books[placement.node].cores.insert(core).inserted, "core \(core) twice") }
            for gpu in placement.gpus { #expect(books[placement.node].gpus.insert(gpu).inserted, "GPU \(gpu) twice") }
            #expect(placement.gpus.count == placement.ranks * request.gpusPerCore)
            #expect(node.domains.isEmpty || request.isExclusive || placement.cores.count == placement.coreCount)
            #expect(request.isExclusive || placement.coreCount == placement.ranks * request.threadsPerCore)
            books[placement.node].counted += placement.coreCount
            books[placement.node].memory += placement.memory
            books[placement.node].slots += 1
            books[placement.node].isWhole = request.isExclusive
            if let most = node.coreCount { #expect(books[placement.node].counted <= most) }
            if let most = node.memory { #expect(books[placement.node].memory <= most) }
            #expect(placement.memory == request.memory)
        }
    }

    mutating func cameBack(_ slot: Slot) {
        for placement in slot.placements {
            books[placement.node].cores.subtract(placement.cores)
            books[placement.node].gpus.subtract(placement.gpus)
            books[placement.node].counted -= placement.coreCount
            books[placement.node].memory -= placement.memory
            books[placement.node].slots -= 1
            books[placement.node].isWhole = false
        }
    }

    /// How many ranks of the request would fit on each node, by the books.
    private func rooms(_ request: ResourceRequest) -> [Int] {
        capacity.inventory.nodes.indices.map { index in
            let (node, books) = (capacity.inventory.nodes[index], books[index])
            guard up[index], !books.isWhole, !request.isExclusive || books.slots == 0 else { return 0 }
            if let most = node.memory, books.memory + request.memory > most { return 0 }
            let cores = node.coreCount.map { ($0 - books.counted) / request.threadsPerCore } ?? .max
            guard request.gpusPerCore > 0 else { return cores }
            return min(cores, (node.gpus.count - books.gpus.count) / request.gpusPerCore)
        }
    }

    /// Whether a call of this request would fit now, by the books.
    func wouldFit(_ request: ResourceRequest, coresUsed: Int, workersUsed: Int) -> Bool {
        if let most = capacity.cores, coresUsed + request.occupiedCores > most { return false }
        if let most = capacity.workers, workersUsed >= most { return false }
        let rooms = rooms(request)
        if let nodes = request.nodes, nodes > 1 {
            let (least, more) = (request.cores / nodes, request.cores % nodes)
            return rooms.count { $0 > least } >= more && rooms.count { $0 >= least } >= nodes
        }
        if rooms.contains(where: { $0 >= request.cores }) { return true }
        // Whoever fits an empty node waits for one, as it would be slower over several.
        let fitsOne = capacity.inventory.nodes.contains {
            $0.coreCount ?? .max >= request.occupiedCores && $0.gpus.count >= request.cores * request.gpusPerCore
                && $0.memory ?? .max >= request.memory
        }
        guard capacity.inventory.groupsSpanNodes, request.isGroup, request.nodes == nil, !fitsOne else { return false }
        return rooms.reduce(0) { $0 + min($1, request.cores) } >= request.cores
    }
}
