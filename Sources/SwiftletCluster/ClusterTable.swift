// SPDX-License-Identifier: BSD-3-Clause
public import SwiftletModel

/// Decides what becomes of calls that run as jobs of a cluster and leave their outcomes in the store.
///
/// A value without clock, file or process: `handle` is given what happened and when, and appends what is to be done. Two kinds
/// of things live in it. A *task* is a call of this client and ends once. An *entry* is the work behind it: equal calls share
/// one, it is claimed, queued, watched, and may be somebody else's.
public struct ClusterTable {
    struct Task {
        let entry: EntryID
        /// Calls that need its value and have not ended.
        var dependants: [TaskID] = []
        /// Calls that ended because of it and are known.
        var failed = 0
        var outcome: Outcome?
        var isReleased = false
    }

    struct Entry {
        let request: RequestID
        /// Entries whose outcomes it reads.
        let inputs: [EntryID]
        /// The calls that wait for it.
        var tasks: [TaskID]
        var state = State.looking
        var isRunning = false
        /// Another job of its batch may run it.
        var isShared = false
    }

    enum State: Equatable {
        /// The store is being asked.
        case looking
        /// Ours. An input has neither ended nor been queued.
        case blocked
        /// Ready to be queued with others like it.
        case gathering
        case queueing(BatchID)
        case queued(JobID)
        /// The system takes no more at present.
        case notQueued
        /// Somebody else is at it.
        case foreign(JobID?)
        /// Its job is over, its outcome not to be seen yet. Where the job was somebody else's, it is run again in the end.
        case missing(JobID?, until: Instant, reason: String?, isForeign: Bool)
    }

    /// What calls of one array have in common.
    struct Group: Hashable {
        let request: RequestID
        let dependencies: [JobID]
    }

    var limits: JobLimits
    var tasks: [TaskID: Task] = [:]
    var entries: [EntryID: Entry] = [:]
    /// Who reads an entry's outcome.
    var readers: [EntryID: [EntryID]] = [:]
    var jobs: [JobID: EntryID] = [:]
    /// Entries that are ready, by what they have in common; in the order in which the first of each came.
    var groups: [Group: [EntryID]] = [:]
    var groupOrder: [Group] = []
    var batches: [BatchID: [EntryID]] = [:]
    var lastBatch: UInt32 = 0
    /// Entries that wait for room in the queue.
    var waitingForRoom: [EntryID] = []
    /// Entries whose place in the store is being looked at.
    var looking = 0
    /// Jobs in the queue, or on their way into it.
    var queuedJobs = 0
    /// How many the system has been found to take, where that is less than it says.
    var room: LearnedRoom?
    /// How often in a row it took not even a single job.
    var refusals = 0
    var unended = 0

    var isHurried = false
    var gatheredUntil: Instant?
    var lastFlush: Instant?
    var nextCheck: Instant?
    var nextQuery: Instant?
    var isQuerying = false
    var retryAt: Instant?
    var armedWake: Instant?
    var isClosed = false
    var isDetaching = false
    var hasDetached = false
    var isFinished = false

    public init(limits: JobLimits) { self.limits = limits }

    /// Takes in an event and appends what is to be done, in order.
    public mutating func handle(_ event: ClusterEvent, at now: Instant, into actions: inout [ClusterAction]) {
        let queuedBefore = queuedJobs
        switch event {
        case .submit(let task, let entry, let request, let inputs):
            submit(task, entry, request: request, inputs: inputs, at: now, into: &actions)
        case .cancel(let task, let onlyIfNotStarted):
            cancel(task, onlyIfNotStarted: onlyIfNotStarted, into: &actions)
        case .release(let task): release(task, into: &actions)
        case .somebodyWaits: isHurried = true
        case .looked(let entry, let answer): looked(entry, answer, at: now, into: &actions)
        case .appeared(let entry, let end): appeared(entry, end, into: &actions)
        case .absent(let entry): absent(entry, at: now, into: &actions)
        case .holderGone(let entry): holderGone(entry, into: &actions)
        case .queued(let batch, let ids): queued(batch, ids, into: &actions)
        case .refused(let batch, let refusal): refused(batch, refusal, at: now, into: &actions)
        case .jobs(let answer, let isAnswer): heard(answer, isAnswer: isAnswer, at: now, into: &actions)
        case .limits(let new): limits = new
        case .detach: startDetaching()
        case .shutdown(let cancelWaiting): shutdown(cancelWaiting: cancelWaiting, into: &actions)
        case .timePassed: break
        }
        // What was refused was not in the queue.
        if case .refused = event {} else if queuedJobs < queuedBefore { roomIsFree(at: now) }
        flush(at: now, into: &actions)
        look(at: now, into: &actions)
        detachIfDone(into: &actions)
        finishIfDone(into: &actions)
        armWake(into: &actions)
    }

    /// The name under which its jobs stand in claims.
    public var systemName: String { limits.system }

    /// How many calls wait, run, and have ended without having been released.
    public var counts: (waiting: Int, running: Int, ended: Int) {
        let running = entries.values.reduce(0) { $0 + ($1.isRunning ? $1.tasks.count : 0) }
        return (unended - running, running, tasks.count - unended)
    }

    /// Why a call waits, or what it does.
    public func explain(_ id: TaskID) -> String {
        guard let task = tasks[id] else { return "\(id) is not known: it was never submitted, or has been released" }
        if let outcome = task.outcome { return "\(id) has ended: \(outcome)" }
        guard let entry = entries[task.entry] else { return "\(id) is ending" }
        return switch entry.state {
        case .looking: "\(id): the store is being looked at"
        case .blocked: "\(id) waits for its inputs"
        case .gathering: "\(id) is being gathered with others like it"
        case .queueing: "\(id) is being queued"
        case .queued(let job): "\(id) is job \(job) of \(limits.system)" + (entry.isRunning ? ", which is running" : "")
        case .notQueued: "\(id) waits until \(limits.system) takes more jobs"
        case .foreign(let job): "\(id) is the work of another client" + (job.map { ", its job \($0)" } ?? "")
        case .missing(let job, _, _, _):
            "\(id): job \(job.map { "\($0) " } ?? "")is over, its outcome cannot be seen yet"
        }
    }
}
