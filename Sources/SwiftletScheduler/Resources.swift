// SPDX-License-Identifier: BSD-3-Clause
import SwiftletModel

/// Amounts of everything a fresh call occupies; also what is free of it.
struct Resources: Equatable {
    var cores: Int
    var workers: Int
    var memory: UInt64
    var gpus: Int

    /// All that there is. What is not limited or not counted is as large as can be.
    init(_ capacity: Capacity) {
        cores = capacity.cores ?? .max
        workers = capacity.workers ?? .max
        memory = capacity.memory ?? .max
        gpus = capacity.gpus
    }

    /// What one call occupies. The request must have been found valid.
    init(_ request: ResourceRequest, capacity: Capacity) {
        cores = request.occupiedCores
        workers = 1
        memory = capacity.memory == nil ? 0 : request.memory
        gpus = request.cores * request.gpusPerCore
    }

    static func -= (left: inout Resources, right: Resources) {
        left.cores -= right.cores
        left.workers -= right.workers
        left.memory -= right.memory
        left.gpus -= right.gpus
    }

    static func += (left: inout Resources, right: Resources) {
        left.cores += right.cores
        left.workers += right.workers
        left.memory += right.memory
        left.gpus += right.gpus
    }

    func fits(in free: Resources) -> Bool {
        cores <= free.cores && workers <= free.workers && memory <= free.memory && gpus <= free.gpus
    }

    /// Whether it fits without taking anything that `other`, which is waiting, needs.
    func fits(beside other: Resources, in free: Resources) -> Bool {
        func leaves(_ mine: UInt64, _ theirs: UInt64, of free: UInt64) -> Bool {
            mine == 0 || (theirs <= free && mine <= free - theirs)
        }
        return leaves(UInt64(cores), UInt64(other.cores), of: UInt64(free.cores))
            && leaves(UInt64(workers), UInt64(other.workers), of: UInt64(free.workers))
            && leaves(memory, other.memory, of: free.memory)
            && leaves(UInt64(gpus), UInt64(other.gpus), of: UInt64(free.gpus))
    }
}

extension ResourceRequest {
    /// Why a call that asks for this can never run; nil where it can.
    func refusal(mode: WorkerMode, capacity: Capacity) -> String? {
        guard cores >= 1 else { return "it asks for \(cores) cores; at least 1 is needed" }
        guard threadsPerCore >= 1 else { return "it asks for \(threadsPerCore) threads per core; at least 1 is needed" }
        guard gpusPerCore >= 0 else { return "it asks for \(gpusPerCore) GPUs per core" }
        let (occupied, tooManyCores) = cores.multipliedReportingOverflow(by: threadsPerCore)
        let (gpus, tooManyGPUs) = cores.multipliedReportingOverflow(by: gpusPerCore)
        let askedCores = "it asks for \(cores) cores with \(threadsPerCore) threads each"
        let askedGPUs = "it asks for \(cores) times \(gpusPerCore) GPUs"
        guard !tooManyCores else { return askedCores }
        guard !tooManyGPUs else { return askedGPUs }
        switch mode {
        case .fresh:
            if let most = capacity.cores, occupied > most {
                return threadsPerCore == 1
                    ? "it asks for \(cores) cores, there are \(most)" : "\(askedCores), there are \(most) cores"
            }
            if let most = capacity.memory, memory > most {
                return "it asks for \(memory) bytes of memory, there are \(most)"
            }
            if gpus > capacity.gpus { return "\(askedGPUs), there are \(capacity.gpus)" }
            if let most = capacity.workers, most < 1 { return "the executor may run \(most) calls at a time" }
        case .warm(_, let slot):
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
        }
        return nil
    }
}

/// Tasks that ask for the same.
struct RequestClass {
    let request: ResourceRequest
    /// Why none of them can run.
    let refusal: String?
    /// What one call occupies in fresh mode; nothing sensible where `refusal` is set.
    let need: Resources
    var queue = ReadyQueue()
    /// Its place among the classes with ready tasks; -1: it has none.
    var activePosition = -1
    /// How many tasks have overtaken the head of the queue, and which head that was.
    var overtaken = 0
    var overtakenHead = UInt64.max

    /// Whether its head goes before the other's.
    func precedes(_ other: RequestClass) -> Bool {
        request.priority != other.request.priority
            ? request.priority > other.request.priority : queue.head < other.queue.head
    }
}
