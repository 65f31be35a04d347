// SPDX-License-Identifier: BSD-3-Clause
public import SwiftletModel

/// Decides what runs next, where, and what a death means.
///
/// A value without socket, clock or thread: `handle` is given what happened and when, and appends what is to be done.
/// The same events give the same actions. Every event costs amortised constant time in the number of tasks; the ready
/// tasks of equal requests share a queue, and only the heads of these queues are compared.
///
/// Events that make no sense (an unknown worker, the end of a call that the worker does not have, a task number
/// that is in use) change nothing: they are what crossing messages look like.
public struct Scheduler {
    let mode: WorkerMode
    /// Whether that is warm (a look at `mode` copies a whole request, too much for each event).
    let isWarm: Bool
    let capacity: Capacity
    let restartLimit: Int

    var tasks = Slab<TaskRecord>()
    var tasksByID = PlaceTable()
    var edges = Slab<Edge>()
    /// Why the attempts of a task ended, for the few that lost a worker.
    var deaths: [TaskID: [ProcessEnd]] = [:]
    /// How often the fresh worker of a task could not be started.
    var startFailures: [TaskID: Int] = [:]
    /// Fresh workers that could not be started since one last was.
    var startFailuresInARow = 0
    /// Lost and refused outcomes carry more than a record holds.
    var details: [TaskID: Outcome] = [:]
    /// Tasks that have just ended and whose dependants do not know it yet.
    var spreading: [Place] = []

    var classes: [RequestClass] = []
    var classesByRequest: [ResourceRequest: Int32] = [:]
    /// Indices into `classes`, as places.
    var classesByID = PlaceTable()
    /// Classes that have ready tasks.
    var active: [Int] = []
    /// What workers may still take.
    var nodes: NodeTable
    /// The slot of each warm worker.
    let poolShape: Shape
    /// Why no warm worker can ever have one.
    let poolRefusal: String?

    var workers = Slab<WorkerRecord>()
    var workersByID = PlaceTable()
    var lastWorker: UInt32 = 0
    var clock = WorkerClock()
    var pool: WarmPool
    var idle = WorkerList(.idle)
    var open = WorkerList(.open)
    /// Calls that wait behind another one in a worker and were not asked back.
    public internal(set) var prefetched = 0
    /// When to look for calls that are stuck behind a long one.
    var watch: Instant?
    /// The wake that the shell knows of.
    var armedWake: Instant?

    var isPaused = false
    var isClosed = false
    var isFinished = false
    /// Tasks of our own (not external ones) that have not ended.
    var unfinished = 0
    var tally = SchedulerCounts()

    /// A scheduler without tasks and workers.
    ///
    /// - Parameters:
    ///   - mode: Whether each call gets a new worker, or workers run call after call.
    ///   - capacity: What workers may occupy together, and the nodes on which they find their slots.
    ///   - restartLimit: How often a call that was running when its worker died is started again, where its
    ///     request does not say.
    public init(mode: WorkerMode, capacity: Capacity, restartLimit: Int) {
        self.mode = mode
        if case .warm(_, let request) = mode {
            isWarm = true
            poolRefusal = request.refusal(mode: .fresh, capacity: capacity)
            poolShape = poolRefusal == nil ? request.shape(in: capacity.inventory) : Shape(ResourceRequest())
        } else {
            isWarm = false
            poolRefusal = nil
            poolShape = Shape(ResourceRequest())
        }
        self.capacity = capacity
        self.restartLimit = restartLimit
        nodes = NodeTable(capacity)
        pool = WarmPool(mode)
    }

    /// Starts the warm workers, all side by side. Call it once, before the first event; in fresh mode it does nothing.
    public mutating func start(at now: Instant, into actions: inout [SchedulerAction]) {
        fillPool(at: now, into: &actions)
    }

    /// Takes in an event and appends what is to be done, in order.
    public mutating func handle(_ event: SchedulerEvent, at now: Instant, into actions: inout [SchedulerAction]) {
        switch event {
        case .define(let id, let request): define(id, request)
        case .submit(let id, let request, let inputs): submit(id, request: request, inputs: inputs, into: &actions)
        case .submitHeld(let id, let request, let inputs):
            submit(id, request: request, inputs: inputs, isHeld: true, into: &actions)
        case .letGo(let id): letGo(id)
        case .answer(let id): answer(id, into: &actions)
        case .declareExternal(let id): declareExternal(id)
        case .resolveExternal(let id, let outcome): resolveExternal(id, outcome, into: &actions)
        case .cancel(let id, let onlyIfNotStarted): cancel(id, onlyIfNotStarted: onlyIfNotStarted, into: &actions)
        case .release(let id): release(id, into: &actions)
        case .workerReady(let id, let takesAhead): workerReady(id, takesAhead: takesAhead, at: now)
        case .workerLeaves(let id): workerLeaves(id, into: &actions)
        case .nodeLost(let node, let timeIsOver): nodeLost(node, timeIsOver: timeIsOver, into: &actions)
        case .poolGivenUp(let reason): if isWarm { giveUpPool(reason, into: &actions) }
        case .nodeUp(let node): nodeUp(node, at: now, into: &actions)
        case .workerCannotPrepare(let id, let reason): workerCannotPrepare(id, reason: reason, into: &actions)
        case .workerEnded(let id, let end): workerEnded(id, end, at: now, into: &actions)
        case .taskEnded(let task, let worker, let failed, let isShort):
            taskEnded(task, on: worker, failed: failed, isShort: isShort, at: now, into: &actions)
        case .recalled(let task, let worker): recalled(task, from: worker, at: now, into: &actions)
        case .resize(let count): resize(to: count, at: now, into: &actions)
        case .setPaused(let paused): isPaused = paused
        case .shutdown(let cancelWaiting): shutdown(cancelWaiting: cancelWaiting, into: &actions)
        case .timePassed: timePassed(at: now, into: &actions)
        }
        dispatch(at: now, into: &actions)
        if isClosed { finishIfDone(into: &actions) }
        armWake(at: now, into: &actions)
    }

    /// How many there are of each. Costs time in the number of workers.
    public var counts: SchedulerCounts {
        var counts = tally
        counts.workers = workersByID.count
        for worker in workerPlaces where workers[worker].state != .gone && workers[worker].state != .delayed {
            if !isWarm || !workers[worker].calls.isEmpty { counts.busyWorkers += 1 }
            counts.coresUsed += workers[worker].slot.coreCount
        }
        return counts
    }

    private mutating func dispatch(at now: Instant, into actions: inout [SchedulerAction]) {
        guard !isPaused, !active.isEmpty else { return }
        if isWarm { dispatchWarm(at: now, into: &actions) } else { dispatchFresh(at: now, into: &actions) }
    }
}
