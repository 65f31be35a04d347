// SPDX-License-Identifier: BSD-3-Clause
public import SwiftletModel

/// A job of Flux that holds cores for several workers, with an agent in it that starts them. Counted up, never reused.
public struct LeaseID: Hashable, Sendable, Comparable {
    public let rawValue: UInt32
    public init(_ rawValue: UInt32) { self.rawValue = rawValue }
    public static func < (left: LeaseID, right: LeaseID) -> Bool { left.rawValue < right.rawValue }
}

/// Which jobs of Flux hold the cores of workers that need none of their own. A value: events in, actions out.
///
/// A job for each call costs Flux 25 ms and a node a new interpreter. So calls of one process share *leases*: jobs of as many
/// places as calls wait, on one node each, with an agent that forks call after call. Flux sees and binds what is used, other
/// programs in the instance get what is not, and a lease goes back when it is idle, or when a job of ours waits for its cores.
public struct FluxLeases: Sendable {
    /// What one place of a lease holds.
    public struct Shape: Hashable, Sendable {
        public var cores: Int
        public var gpus: Int

        public init(cores: Int, gpus: Int) {
            self.cores = cores
            self.gpus = gpus
        }
    }

    public enum Action: Hashable, Sendable {
        case submit(LeaseID, Shape, places: Int)
        /// Start the worker on the lease; `place` counts its places from 0, and nobody else has it.
        case start(WorkerID, LeaseID, place: Int)
        /// Give the lease back: end its job.
        case end(LeaseID)
        /// The worker cannot be started, now or later.
        case refuse(WorkerID, reason: String)
        /// Call `settle` at this time (replaces the time given before).
        case wake(at: Instant)
    }

    private struct Lease {
        enum State { case pending, up }
        let shape: Shape
        var state = State.pending
        var workers: [WorkerID?]
        /// It takes no further workers: it goes back when it is empty.
        var isClosing = false
        /// Since when it has been pending, or empty.
        var since: Instant

        var running = 0
        var cores: Int { shape.cores * workers.count }
    }

    /// How long an empty lease is kept when nobody asks for its cores, in nanoseconds.
    public static let idleTime: UInt64 = 1_000_000_000
    /// How long a lease of several places may wait before it is asked for in two halves: it may fit in pieces.
    public static let patience: UInt64 = 500_000_000

    /// Cores of the instance, and of its largest node.
    private let coreCount: Int
    private let coresPerNode: Int
    private let gpusPerNode: Int
    private var leases: [LeaseID: Lease] = [:]
    private var lastLease: UInt32 = 0
    private var places: [WorkerID: (lease: LeaseID, place: Int)] = [:]
    private var waiting: [(worker: WorkerID, shape: Shape)] = []
    /// Cores of jobs of ours that Flux has started, or is asked to start.
    private var startedJobCores = 0
    private var pendingJobCores = 0

    public init(coreCount: Int, coresPerNode: Int, gpusPerNode: Int) {
        self.coreCount = coreCount
        self.coresPerNode = coresPerNode
        self.gpusPerNode = gpusPerNode
    }

    public var isEmpty: Bool { leases.isEmpty && waiting.isEmpty }

    // MARK: - Events; after those of a moment `settle` is called once

    /// A worker is to be started.
    public mutating func want(_ worker: WorkerID, _ shape: Shape) { waiting.append((worker, shape)) }

    /// A worker that has not been started is not wanted any more; false where it was started.
    public mutating func unwant(_ worker: WorkerID) -> Bool {
        guard let index = waiting.firstIndex(where: { $0.worker == worker }) else { return false }
        waiting.remove(at: index)
        return true
    }

    /// A worker's processes are gone.
    public mutating func freed(_ worker: WorkerID, at now: Instant) {
        guard let (id, place) = places.removeValue(forKey: worker), leases[id] != nil else { return }
        leases[id]!.workers[place] = nil
        leases[id]!.running -= 1
        leases[id]!.since = now
    }

    /// The agent of a lease is there.
    public mutating func isUp(_ id: LeaseID, at now: Instant) {
        leases[id]?.state = .up
        leases[id]?.since = now
    }

    /// The job of a lease has ended. Its workers were told by its agent's end. A refusal is for all that wait for the same.
    public mutating func ended(_ id: LeaseID, refusal: String?, into actions: inout [Action]) {
        guard let lease = leases.removeValue(forKey: id), let refusal else { return }
        for entry in waiting where entry.shape == lease.shape { actions.append(.refuse(entry.worker, reason: refusal)) }
        waiting.removeAll { $0.shape == lease.shape }
    }

    /// The cores of jobs of ours, beside leases, that wait in Flux and that run.
    public mutating func setJobs(pendingCores: Int, startedCores: Int) {
        pendingJobCores = pendingCores
        startedJobCores = startedCores
    }

    /// Everything goes back.
    public mutating func endAll(into actions: inout [Action]) {
        for id in leases.keys.sorted() { actions.append(.end(id)) }
        leases = [:]
    }

    // MARK: - Decisions

    /// Decides what follows from the events since the last call.
    public mutating func settle(at now: Instant, into actions: inout [Action]) {
        // A lease that has come serves those it was asked for before it makes room: else two shapes would take turns for ever.
        place(into: &actions)
        makeRoom()
        giveBack(at: now, into: &actions)
        split(at: now, into: &actions)
        request(at: now, into: &actions)
        arm(at: now, into: &actions)
    }

    /// Something of ours waits that a lease cannot serve: a job, or a lease of another shape. As many leases close as hold what is
    /// lacking, the emptiest first. (What waits itself holds nothing.)
    private mutating func makeRoom() {
        let up = fullestFirst()
        let held = up.reduce(0) { $0 + (leases[$1]!.isClosing ? 0 : leases[$1]!.cores) }
        var free = coreCount - startedJobCores - held
        for id in up.reversed() {
            let wanted = wantedBeside(leases[id]!.shape)
            if wanted == 0 { leases[id]!.isClosing = false }
            guard wanted > free, !leases[id]!.isClosing else { continue }
            leases[id]!.isClosing = true
            free += leases[id]!.cores
        }
    }

    /// Cores that something waits for which a lease of this shape cannot serve.
    private func wantedBeside(_ shape: Shape) -> Int {
        leases.values.reduce(pendingJobCores) { $0 + ($1.state == .pending && $1.shape != shape ? $1.cores : 0) }
    }

    private func fullestFirst() -> [LeaseID] {
        leases.filter { $0.value.state == .up }.map { ($0.value.running, $0.key) }.sorted { $0 > $1 }.map { $0.1 }
    }

    /// First come, first served; the fullest lease first, so that others become empty.
    private mutating func place(into actions: inout [Action]) {
        guard !waiting.isEmpty else { return }
        let order = fullestFirst().filter { !leases[$0]!.isClosing && leases[$0]!.running < leases[$0]!.workers.count }
        var rest: [(worker: WorkerID, shape: Shape)] = []
        for entry in waiting {
            let found = order.first { leases[$0]!.shape == entry.shape && leases[$0]!.running < leases[$0]!.workers.count }
            guard let found, let place = leases[found]!.workers.firstIndex(of: nil) else {
                rest.append(entry)
                continue
            }
            leases[found]!.workers[place] = entry.worker
            leases[found]!.running += 1
            places[entry.worker] = (found, place)
            actions.append(.start(entry.worker, found, place: place))
        }
        waiting = rest
    }

    /// Empty leases go at once where somebody of ours waits for cores, else after a while; pending ones that nobody waits for, too.
    private mutating func giveBack(at now: Instant, into actions: inout [Action]) {
        let somebodyWaits = pendingJobCores > 0 || !waiting.isEmpty
        for id in leases.keys.sorted() {
            let lease = leases[id]!
            guard lease.running == 0 else { continue }
            let isUseless: Bool =
                switch lease.state {
                case .up: lease.isClosing || somebodyWaits || now.nanoseconds - lease.since.nanoseconds >= Self.idleTime
                case .pending: !waiting.contains { $0.shape == lease.shape }
                }
            guard isUseless else { continue }
            leases[id] = nil
            actions.append(.end(id))
        }
    }

    private mutating func split(at now: Instant, into actions: inout [Action]) {
        for id in leases.keys.sorted() {
            let lease = leases[id]!
            guard lease.state == .pending, lease.workers.count > 1, now.nanoseconds - lease.since.nanoseconds >= Self.patience
            else { continue }
            leases[id] = nil
            actions.append(.end(id))
            add(lease.shape, places: (lease.workers.count + 1) / 2, at: now, into: &actions)
            add(lease.shape, places: lease.workers.count / 2, at: now, into: &actions)
        }
    }

    /// Asks Flux for what waits and was not asked for.
    private mutating func request(at now: Instant, into actions: inout [Action]) {
        var missing: [(shape: Shape, places: Int)] = []
        for entry in waiting {
            if let index = missing.firstIndex(where: { $0.shape == entry.shape }) {
                missing[index].places += 1
            } else {
                missing.append((entry.shape, 1))
            }
        }
        for (shape, wanted) in missing {
            let asked = leases.values.reduce(0) { $0 + ($1.state == .pending && $1.shape == shape ? $1.workers.count : 0) }
            var places = wanted - asked
            while places > 0 {
                let count = min(places, placesPerNode(shape))
                add(shape, places: count, at: now, into: &actions)
                places -= count
            }
        }
    }

    private func placesPerNode(_ shape: Shape) -> Int {
        let places = coresPerNode / max(1, shape.cores)
        return max(1, shape.gpus > 0 ? min(places, gpusPerNode / shape.gpus) : places)
    }

    private mutating func add(_ shape: Shape, places: Int, at now: Instant, into actions: inout [Action]) {
        lastLease += 1
        leases[LeaseID(lastLease)] = Lease(shape: shape, workers: Array(repeating: nil, count: places), since: now)
        actions.append(.submit(LeaseID(lastLease), shape, places: places))
    }

    private func arm(at now: Instant, into actions: inout [Action]) {
        let times = leases.values.compactMap { lease -> Instant? in
            switch lease.state {
            case .pending: lease.workers.count > 1 ? lease.since.advanced(by: Self.patience) : nil
            case .up: lease.running == 0 ? lease.since.advanced(by: Self.idleTime) : nil
            }
        }
        if let first = times.min() { actions.append(.wake(at: max(first, now))) }
    }
}
