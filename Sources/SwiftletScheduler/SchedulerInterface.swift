// SPDX-License-Identifier: BSD-3-Clause
public import SwiftletModel

/// What the scheduler may hand out.
public struct Capacity: Hashable, Sendable {
    /// Sum of `occupiedCores` of all workers; nil: not limited.
    public var cores: Int?
    /// Number of workers at a time; nil: not limited.
    public var workers: Int?
    /// Where they run.
    public var inventory: Inventory
    /// Workers may wait for a slot elsewhere after they were started: the time limit of a fresh worker's call begins with
    /// `workerReady`.
    public var startsLate = false

    public init(cores: Int? = nil, workers: Int? = nil, inventory: Inventory) {
        self.cores = cores
        self.workers = workers
        self.inventory = inventory
    }

    /// One node whose cores are only counted, by the limit. `memory` in bytes; nil: not counted.
    public init(cores: Int? = nil, workers: Int? = nil, memory: UInt64? = nil, gpus: Int = 0) {
        let node = Node(name: "", coreCount: nil, gpus: (0..<gpus).map { "\($0)" }, memory: memory)
        self.init(cores: cores, workers: workers, inventory: Inventory(nodes: [node]))
    }
}

/// How tasks meet workers.
public enum WorkerMode: Hashable, Sendable {
    /// A new worker for each call, which ends with it.
    case fresh
    /// `count` workers, each holding a slot for `request`, that run call after call.
    case warm(count: Int, request: ResourceRequest)
}

/// Something that happened. Time comes with it; the scheduler reads no clock.
public enum SchedulerEvent: Sendable {
    /// A request that later tasks refer to. (Indirect, as it is large: every event is copied on its way.)
    indirect case define(RequestID, ResourceRequest)
    /// A new task. `inputs` are tasks whose values it needs; all were submitted (or declared external) before.
    case submit(TaskID, request: RequestID, inputs: [TaskID])
    /// The same for one that a store may have the value of: it does not run before `letGo`.
    case submitHeld(TaskID, request: RequestID, inputs: [TaskID])
    /// The store has nothing for a held task: it runs.
    case letGo(TaskID)
    /// The store has the value of a held task: it ends with it.
    case answer(TaskID)
    /// A task that the client will end itself; it may be an input.
    case declareExternal(TaskID)
    /// The end of an external task: `.value`, `.error` or `.cancelled`.
    case resolveExternal(TaskID, Outcome)
    /// The client cancels. With `onlyIfNotStarted` a running task goes on.
    case cancel(TaskID, onlyIfNotStarted: Bool)
    /// Nobody at the client refers to this ended task any more.
    case release(TaskID)

    /// A warm worker is ready for its first call. (Fresh workers get their call at once; see `Capacity.startsLate`.)
    /// - `takesAhead`: false: calls behind a long one cannot be had back from it, so it is given one at a time.
    case workerReady(WorkerID, takesAhead: Bool = true)
    /// A worker could not prepare. Warm (its init function failed): the pool can run nothing, all its calls are refused.
    /// Fresh: its call is refused.
    case workerCannotPrepare(WorkerID, reason: String)
    /// A worker is about to end by itself, after its call: it is given no further one.
    case workerLeaves(WorkerID)
    /// A worker's process is gone, with all it left behind.
    case workerEnded(WorkerID, ProcessEnd)
    /// The worker says that the call returned (`failed` false) or raised (`failed` true). `isShort`: by its own clock it took less
    /// than 0.2 ms; where that is not known, the time until the word of its end came decides.
    case taskEnded(TaskID, WorkerID, failed: Bool, isShort: Bool = false)
    /// The worker has put back a call that it had not started.
    case recalled(TaskID, WorkerID)

    /// A node of the inventory is gone. Its workers are too: `workerEnded` follows for each, and is charged to nobody, unless the node
    /// went because its time was over: a call that takes longer than a node has would be started again and again.
    case nodeLost(Int, timeIsOver: Bool = false)
    /// A node of the inventory is there (again).
    case nodeUp(Int)
    /// No warm worker can be had any more: all calls are refused, with this reason.
    case poolGivenUp(String)
    /// A new number of warm workers.
    case resize(Int)
    /// Nothing new starts while true (somebody does not read what we send).
    case setPaused(Bool)
    /// No submit follows. With `cancelWaiting` what has not started is cancelled.
    case shutdown(cancelWaiting: Bool)
    /// The time asked for by `wake(at:)` has come.
    case timePassed
}

/// What is to be done now, in this order.
public enum SchedulerAction: Hashable, Sendable {
    /// Start a worker in this slot. `index` is the worker's place in the pool (0 …), 0 for fresh ones.
    /// (Indirect, as it is large: every action is copied on its way.)
    indirect case startWorker(WorkerID, index: Int, request: ResourceRequest, slot: Slot)
    /// Send the call to the worker (for a fresh one: right after `startWorker`). `attempt` counts from 1.
    case assign(TaskID, WorkerID, attempt: Int)
    /// The call is what its worker now works on (with `assign`, unless the worker is still busy with an earlier call).
    case begun(TaskID, WorkerID, attempt: Int)
    /// Ask the worker not to start the call; it answers with `recalled` or with the call's end.
    case recall(TaskID, WorkerID)
    /// End the worker. `politely`: it finishes what it does and exits (END). Else SIGTERM to its process group, then SIGKILL.
    case endWorker(WorkerID, politely: Bool)
    /// The task has ended; tell the client unless it cancelled this very task itself (`tellClient` false).
    /// For `.value` and `.error` the payload is that of the worker's (or client's) message.
    case ended(TaskID, Outcome, tellClient: Bool)
    /// Its arguments are not needed any more.
    case dropArguments(TaskID)
    /// Its value, or why it has none, is not needed any more.
    case dropValue(TaskID)
    /// Send `timePassed` at this time (replaces the time given before).
    case wake(at: Instant)
    /// After `shutdown`: everything has ended, all workers are gone.
    case finished
}
