// SPDX-License-Identifier: BSD-3-Clause
import SwiftletModel

extension ResourceRequest {
    /// How its ranks are laid over the nodes of an inventory.
    func shape(in inventory: Inventory) -> Shape {
        var shape = layout(in: inventory)
        let isStep = step.isAskedFor || shape.spread != .one || (isGroup && (inventory.groupsAreSteps || isCommand))
        shape.choosesGPUs = inventory.stepsChooseGPUs && isStep
        return shape
    }

    private func layout(in inventory: Inventory) -> Shape {
        if let nodes, nodes > 1 { return Shape(self, spread: .evenly(nodes)) }
        let onOne = Shape(self)
        guard nodes == nil, inventory.groupsSpanNodes, isGroup else { return onOne }
        let fitsOne = inventory.nodes.contains { node in
            var node = node
            node.isUp = true
            return NodeState(node).fits(onOne.need(cores))
        }
        return fitsOne ? onOne : Shape(self, spread: .asNeeded)
    }

    /// Why a call that asks for this can never run; nil where it can.
    func refusal(mode: WorkerMode, capacity: Capacity) -> String? {
        guard cores >= 1 else { return "it asks for \(cores) cores; at least 1 is needed" }
        guard threadsPerCore >= 1 else { return "it asks for \(threadsPerCore) threads per core; at least 1 is needed" }
        guard gpusPerCore >= 0 else { return "it asks for \(gpusPerCore) GPUs per core" }
        guard nodes ?? 1 >= 1 else { return "it asks for \(nodes ?? 0) nodes; at least 1 is needed" }
        guard !cores.multipliedReportingOverflow(by: threadsPerCore).overflow else { return askedCores }
        guard !cores.multipliedReportingOverflow(by: gpusPerCore).overflow else { return askedGPUs }
        if let nodes, cores < nodes { return "it asks for \(nodes) nodes, but only for \(cores) ranks" }
        switch mode {
        case .fresh: return refusal(by: capacity)
        case .warm(_, let slot): return refusal(byWorker: slot)
        }
    }

    private var askedCores: String { "it asks for \(cores) cores with \(threadsPerCore) threads each" }
    private var askedGPUs: String { "it asks for \(cores) times \(gpusPerCore) GPUs" }

    /// Why no slot can ever be had for it, with everything free and every node there.
    func refusal(by capacity: Capacity) -> String? {
        if let most = capacity.cores, occupiedCores > most {
            return threadsPerCore == 1
                ? "it asks for \(cores) cores, there are \(most)" : "\(askedCores), there are \(most) cores"
        }
        if let most = capacity.workers, most < 1 { return "the executor may run \(most) calls at a time" }
        let inventory = capacity.inventory
        let shape = shape(in: inventory)
        var whole = capacity
        for index in inventory.nodes.indices { whole.inventory.nodes[index].isUp = true }
        guard NodeTable(whole).plan(shape) == nil else { return nil }
        if let nodes, nodes > inventory.nodes.count {
            return "it asks for \(nodes) nodes, there \(inventory.nodes.count == 1 ? "is 1" : "are \(inventory.nodes.count)")"
        }
        return shape.spread == .one ? refusalByLargest(of: inventory.nodes) : refusalByAll(of: inventory.nodes)
    }

    private func refusalByLargest(of nodes: [Node]) -> String {
        let there = nodes.count == 1 ? "there are" : "the node with the most has"
        let cores = nodes.map { $0.coreCount ?? .max }.max() ?? 0
        let memory = nodes.map { $0.memory ?? .max }.max() ?? 0
        let gpus = nodes.map(\.gpus.count).max() ?? 0
        if occupiedCores > cores {
            return threadsPerCore == 1
                ? "it asks for \(self.cores) cores, \(there) \(cores)" : "\(askedCores), \(there) \(cores) cores"
        }
        if self.memory > memory { return "it asks for \(self.memory) bytes of memory, \(there) \(memory)" }
        if self.cores * gpusPerCore > gpus { return "\(askedGPUs), \(there) \(gpus)" }
        return "\(askedCores), \(askedGPUs) and \(self.memory) bytes of memory; no node has all of it"
    }

    private func refusalByAll(of nodes: [Node]) -> String {
        let cores = nodes.reduce(0) { $0 + ($1.coreCount ?? 0) }
        let gpus = nodes.reduce(0) { $0 + $1.gpus.count }
        let over = self.nodes.map { " over \($0) nodes" } ?? ""
        return "\(askedCores), \(gpusPerCore) GPUs each and \(memory) bytes of memory on each node\(over); "
            + "the \(nodes.count) nodes have \(cores) cores and \(gpus) GPUs, and cannot hold it"
    }

    private func refusal(byWorker slot: ResourceRequest) -> String? {
        if cores > slot.cores { return "it asks for \(cores) cores, each worker has \(slot.cores)" }
        if threadsPerCore > slot.threadsPerCore {
            return "\(askedCores), each worker has \(slot.threadsPerCore) threads per core"
        }
        if gpusPerCore > slot.gpusPerCore {
            return "it asks for \(gpusPerCore) GPUs per core, each worker has \(slot.gpusPerCore)"
        }
        if slot.memory > 0, memory > slot.memory {
            return "it asks for \(memory) bytes of memory, each worker has \(slot.memory)"
        }
        return nil
    }
}
