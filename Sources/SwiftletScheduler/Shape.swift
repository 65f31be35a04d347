// SPDX-License-Identifier: BSD-3-Clause
import SwiftletModel

/// What a call takes on one node.
struct NodeNeed: Equatable {
    var cores: Int
    var gpus: Int
    var memory: UInt64
    /// Nothing else may be there.
    var isWhole: Bool
    /// Its launcher chooses the GPUs.
    var choosesGPUs = false

    /// Whether both can have GPUs on one node.
    func canShareGPUs(with other: NodeNeed) -> Bool {
        gpus == 0 || other.gpus == 0 || choosesGPUs == other.choosesGPUs
    }
}

/// A request as the fitting sees it: how its ranks may be laid over nodes.
struct Shape: Equatable {
    enum Spread: Equatable {
        /// All ranks on one node.
        case one
        /// As evenly as possible over so many nodes.
        case evenly(Int)
        /// Over as few nodes as possible.
        case asNeeded
    }

    var ranks: Int
    var threads: Int
    /// GPUs of each rank.
    var gpus: Int
    /// On each node.
    var memory: UInt64
    var isExclusive: Bool
    var choosesGPUs = false
    var spread: Spread

    init(_ request: ResourceRequest, spread: Spread = .one) {
        ranks = request.cores
        threads = request.threadsPerCore
        gpus = request.gpusPerCore
        memory = request.memory
        isExclusive = request.isExclusive
        self.spread = spread
    }

    /// What counts against the limit of the executor.
    var cores: Int { ranks * threads }

    /// What so many of its ranks take on a node.
    func need(_ ranks: Int) -> NodeNeed {
        NodeNeed(
            cores: ranks * threads, gpus: ranks * gpus, memory: memory, isWhole: isExclusive, choosesGPUs: choosesGPUs)
    }
}

/// So many ranks on one node.
struct Share: Equatable {
    var node: Int
    var ranks: Int
}
