// SPDX-License-Identifier: BSD-3-Clause
import SwiftletModel
import SwiftletScheduler

/// A scheduler with a clock that the test turns, for tests that read like a protocol.
struct Trace {
    var scheduler: Scheduler
    var now: UInt64 = 1_000_000_000

    static func fresh(cores: Int? = nil, workers: Int? = nil, memory: UInt64? = nil, gpus: Int = 0, restarts: Int = 0)
        -> Trace
    {
        let capacity = Capacity(cores: cores, workers: workers, memory: memory, gpus: gpus)
        return Trace(scheduler: Scheduler(mode: .fresh, capacity: capacity, restartLimit: restarts))
    }

    /// A pool whose workers 1 … count are started and, unless told otherwise, ready.
    static func warm(_ count: Int, restarts: Int = 0, ready: Bool = true) -> Trace {
        let mode = WorkerMode.warm(count: count, request: ResourceRequest())
        var trace = Trace(scheduler: Scheduler(mode: mode, capacity: Capacity(), restartLimit: restarts))
        _ = trace.start()
        if ready { for worker in 0..<count { _ = trace.send(.workerReady(WorkerID(UInt32(worker + 1)))) } }
        return trace
    }

    /// Ready workers that have proved to be quick, so that they are given calls ahead. Tasks 1 … count are used up.
    static func quick(_ count: Int, restarts: Int = 0) -> Trace {
        var trace = Trace.warm(count, restarts: restarts)
        for id in 1...UInt64(count) {
            let worker = trace.submit(id).compactMap { if case .begun(_, let worker, _) = $0 { worker } else { nil } }
            _ = trace.ends(id, on: worker[0].rawValue)
        }
        for id in 1...UInt64(count) { _ = trace.release(id) }
        return trace
    }

    mutating func start() -> [SchedulerAction] {
        var actions: [SchedulerAction] = []
        scheduler.start(at: Instant(nanoseconds: now), into: &actions)
        return actions
    }

    mutating func send(_ event: SchedulerEvent) -> [SchedulerAction] {
        var actions: [SchedulerAction] = []
        scheduler.handle(event, at: Instant(nanoseconds: now), into: &actions)
        return actions
    }

    mutating func define(_ id: UInt32, _ request: ResourceRequest) {
        _ = send(.define(RequestID(id), request))
    }

    /// Submits a task; request 1 is one core unless the test defined another.
    mutating func submit(_ id: UInt64, request: UInt32 = 1, needs inputs: UInt64...) -> [SchedulerAction] {
        if request == 1 { define(1, ResourceRequest()) }
        return send(.submit(TaskID(id), request: RequestID(request), inputs: inputs.map { TaskID($0) }))
    }

    mutating func ends(_ task: UInt64, on worker: UInt32, failed: Bool = false, isShort: Bool = false) -> [SchedulerAction] {
        send(.taskEnded(TaskID(task), WorkerID(worker), failed: failed, isShort: isShort))
    }

    mutating func cancel(_ task: UInt64, onlyIfNotStarted: Bool = false) -> [SchedulerAction] {
        send(.cancel(TaskID(task), onlyIfNotStarted: onlyIfNotStarted))
    }

    mutating func release(_ task: UInt64) -> [SchedulerAction] { send(.release(TaskID(task))) }

    mutating func dies(_ worker: UInt32, _ end: ProcessEnd = .signalled(9)) -> [SchedulerAction] {
        send(.workerEnded(WorkerID(worker), end))
    }

    /// Time passes, and the scheduler is told.
    mutating func pass(milliseconds: UInt64) -> [SchedulerAction] {
        now += milliseconds * 1_000_000
        return send(.timePassed)
    }

    func explain(_ task: UInt64) -> String { scheduler.explain(TaskID(task), at: Instant(nanoseconds: now)) }
}

/// Short names for what tests expect.
func begins(_ task: UInt64, on worker: UInt32, attempt: Int = 1) -> [SchedulerAction] {
    [
        .assign(TaskID(task), WorkerID(worker), attempt: attempt),
        .begun(TaskID(task), WorkerID(worker), attempt: attempt),
    ]
}

func startsFresh(_ task: UInt64, on worker: UInt32, _ request: ResourceRequest = ResourceRequest(), attempt: Int = 1)
    -> [SchedulerAction]
{
    [starts(worker, request)] + begins(task, on: worker, attempt: attempt)
}

/// A worker is started on the only node of a trace, where cores are counted.
func starts(_ worker: UInt32, index: Int = 0, _ request: ResourceRequest = ResourceRequest()) -> SchedulerAction {
    let placement = Slot.Placement(
        node: 0, name: "", ranks: request.cores, coreCount: request.occupiedCores, memory: request.memory)
    return .startWorker(WorkerID(worker), index: index, request: request, slot: Slot(placements: [placement]))
}

func over(_ task: UInt64, _ outcome: Outcome, tellClient: Bool = true) -> [SchedulerAction] {
    [.ended(TaskID(task), outcome, tellClient: tellClient), .dropArguments(TaskID(task))]
}

extension [SchedulerAction] {
    /// The tasks that these actions begin, in order.
    var begun: [UInt64] {
        compactMap { if case .begun(let task, _, _) = $0 { task.rawValue } else { nil } }
    }
    /// The tasks that they ask back, in order.
    var recalled: [UInt64] {
        compactMap { if case .recall(let task, _) = $0 { task.rawValue } else { nil } }
    }
    /// The workers that they start.
    var started: [UInt32] {
        compactMap { if case .startWorker(let worker, _, _, _) = $0 { worker.rawValue } else { nil } }
    }
    /// The outcomes in them.
    var outcomes: [UInt64: Outcome] {
        reduce(into: [:]) { if case .ended(let task, let outcome, _) = $1 { $0[task.rawValue] = outcome } }
    }
    /// The time of the wake they ask for, in milliseconds after the start of the test's clock.
    var wake: UInt64? {
        compactMap { if case .wake(let time) = $0 { (time.nanoseconds - 1_000_000_000) / 1_000_000 } else { nil } }.last
    }
}
