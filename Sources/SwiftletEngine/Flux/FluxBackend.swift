// SPDX-License-Identifier: BSD-3-Clause
import SwiftletFlux
import SwiftletLaunch
import SwiftletModel
import SwiftletTransport
import SwiftletWire

/// A lease as the engine holds it: its job, and the agent once that has connected.
final class FluxLease {
    let id: LeaseID
    let shape: FluxLeases.Shape
    let places: Int
    var job: FluxJob?
    var ticket: Ticket?
    var agent: Agent?
    /// What its job was given of its node, once the agent has said it.
    var place = AgentPlace()
    /// The node's name.
    var host = ""

    init(id: LeaseID, shape: FluxLeases.Shape, places: Int) {
        self.id = id
        self.shape = shape
        self.places = places
    }

    /// What the worker on one of its places holds; its processors are listed where it has them alone.
    /// - Throws: `FluxFault` where its GPUs cannot be told from those of its neighbours.
    func share(of index: Int, _ request: ResourceRequest) throws(FluxFault) -> (slot: Slot, processors: [Int]) {
        let cores = place.cores(of: index, count: shape.cores, of: places) ?? []
        let gpus = shape.gpus == 0 ? [] : place.gpus(of: index, count: shape.gpus, of: places)
        if gpus == nil, places > 1 {
            throw FluxFault(
                "its Flux job shows \(place.gpus.count) GPUs, not the \(shape.gpus * places) that it has: they cannot be divided")
        }
        let part = Slot.Placement(
            node: 0, name: host, ranks: 1, coreCount: shape.cores, cores: cores.compactMap(\.first), gpus: gpus ?? place.gpus,
            memory: request.memory)
        return (Slot(placements: [part]), cores.flatMap { $0 }.sorted())
    }
}

/// A worker as the engine asks Flux for it.
final class FluxWorker {
    let id: WorkerID
    let index: Int
    let request: ResourceRequest
    let settings: SlotVariables
    var lease: FluxLease?
    /// Of an external program: what to start.
    var command: Attributes?
    /// Of a worker that is a job: what its ranks connect with.
    var tickets = ""
    var job: FluxJob?
    var isAllocated = false
    var ending: FluxJob.Ending?
    var outputHasEnded = true

    init(id: WorkerID, index: Int, request: ResourceRequest, settings: SlotVariables) {
        self.id = id
        self.index = index
        self.request = request
        self.settings = settings
    }
}

/// What an engine knows of the instance of Flux that its workers run in.
final class FluxBackend: WorkerSignals {
    let instance: FluxInstance
    let tickets: TicketFiles
    let jobs: FluxWorkerJobs
    /// A worker is a program that starts the other ranks of its group.
    let startsRanksItself: Bool
    var facts: FluxFacts?
    var leases = FluxLeases(coreCount: 0, coresPerNode: 0, gpusPerNode: 0)
    var held: [LeaseID: FluxLease] = [:]
    var workers: [WorkerID: FluxWorker] = [:]
    /// Started by the scheduler before the instance was ready.
    var early: [WorkerID] = []
    var timer: UInt64 = 0
    var willSettle = false
    private var freshLogs = 0
    /// Jobs that Flux has not said the end of.
    var openJobs: [ObjectIdentifier: FluxJob] = [:]
    var isDismissing = false
    /// A timer for the connections of agents runs.
    var isBeating = false
    /// Sends a signal to a worker's processes.
    var onSignal: (WorkerID, Int32) -> Void = { _, _ in }

    init(instance: FluxInstance, tickets: TicketFiles, jobs: FluxWorkerJobs, startsRanksItself: Bool) {
        self.instance = instance
        self.tickets = tickets
        self.jobs = jobs
        self.startsRanksItself = startsRanksItself
    }

    func signal(_ worker: WorkerID, _ signal: Int32) { onSignal(worker, signal) }

    /// The number in the name of a worker's files: a warm one's place in the pool, else how many were before it.
    func nextLog(of worker: FluxWorker, isWarm: Bool) -> Int {
        if isWarm { return worker.index }
        defer { freshLogs += 1 }
        return freshLogs
    }

    /// Whether a worker has not been given resources yet.
    func isWaiting(_ id: WorkerID) -> Bool { workers[id].map { $0.lease == nil && !$0.isAllocated } ?? false }

    /// Whether a worker is a job of its own; else an agent runs it.
    func isOwnJob(_ request: ResourceRequest) -> Bool {
        let isGroup = request.isGroup && (!startsRanksItself || request.isCommand || request.step.startsRanks)
        return jobs.settings.nests || jobs.settings.ownJobs || isGroup || request.step.isAskedFor
            || request.step.isExclusive || request.step.nodes != nil
    }
}
