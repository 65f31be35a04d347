// SPDX-License-Identifier: BSD-3-Clause
import CSwiftlet
import SwiftletCluster
import SwiftletModel
import SwiftletStore
import SwiftletTransport
import SwiftletWire

/// The shell around a `ClusterTable`: it holds the table, asks the store and the job system, and tells the client.
/// Everything happens on the loop's thread; the store works on one of its own.
final class ClusterShell {
    /// What is known of an entry beside what the table knows.
    struct Entry {
        let place: EntryPlace
        let request: RequestID
        /// What is to be written; nil when it has been.
        var task: StoredTask?
        let function: String
        var tasks: [TaskID]
        /// Its files are ours to tidy up.
        var isClaimed = false
        /// Whose work it is otherwise, in words.
        var holder: String?
    }

    /// What an entry's outcome brought, for the actions that it leads to.
    struct Result {
        var payload: [UInt8] = Payload.none.bytes
        var header: EntryHeader?
        var isHit = false
    }

    unowned let engine: Engine
    let jobs: any JobSystem
    let store: WorkThread<StoreOrder, StoreAnswer>
    let command: [String]
    var table: ClusterTable
    private var actions: [ClusterAction] = []
    private var waitingEvents: [ClusterEvent] = []
    private var isApplying = false
    private var wakeTimer: UInt64 = 0
    private var refreshTimer: UInt64 = 0

    var entries: [EntryID: Entry] = [:]
    var entryIDs: [EntryPlace: EntryID] = [:]
    private var lastEntry: UInt32 = 0
    var entryOfTask: [TaskID: EntryID] = [:]
    var placeOfTask: [TaskID: EntryPlace] = [:]
    var resultInHand: (entry: EntryID, result: Result)?
    /// Errors of ended calls, for those that depend on them.
    var errors: [TaskID: [UInt8]] = [:]
    var causes: [TaskID: Cause] = [:]
    private var saidNotes: Set<String> = []
    /// The client has left on purpose; what runs goes on.
    private(set) var hasDetached = false

    init(engine: Engine, jobs: any JobSystem, configuration: EngineConfiguration) throws {
        self.engine = engine
        self.jobs = jobs
        command = configuration.argv
        table = ClusterTable(limits: jobs.limits)
        let trusted = configuration.trustedOwners
        let system = jobs.limits.system
        store = try WorkThread(loop: engine.loop) {
            let store = Store(trusting: trusted, isDurable: true, asking: system)
            return { store.carryOut($0) }
        }
        jobs.onChange = { [unowned self] in apply(.jobs($0, isAnswer: false)) }
        jobs.onLimits = { [unowned self] in apply(.limits($0)) }
    }

    /// The one door to the table.
    func apply(_ event: ClusterEvent) {
        guard !isApplying else { return waitingEvents.append(event) }
        isApplying = true
        handle(event)
        while !waitingEvents.isEmpty { handle(waitingEvents.removeFirst()) }
        isApplying = false
        keepClaimsFresh()
    }

    private func handle(_ event: ClusterEvent) {
        table.handle(event, at: Instant(nanoseconds: sl_monotonic_ns()), into: &actions)
        let now = actions
        actions.removeAll(keepingCapacity: true)
        for action in now { carryOut(action) }
        if let payload = resultInHand?.result.payload { engine.release(payload) }
        resultInHand = nil
    }

    private func carryOut(_ action: ClusterAction) {
        switch action {
        case .look(let entry, let job): look(entry, takingOver: job)
        case .submit(let batch, let request, let entries, let dependencies):
            submit(batch, request, entries, dependencies)
        case .record(let entry, let job): record(entry, job)
        case .check(let entries): check(entries)
        case .query(let ids): jobs.query(ids) { [unowned self] in apply(.jobs($0, isAnswer: true)) }
        case .cancelJobs(let ids): jobs.cancel(ids)
        case .jobIsDone(let id): jobs.isDone(id)
        case .withdraw(let entry): release(entry)
        case .started(let task): engine.client.link.send(.started, id: task.rawValue)
        case .ended(let task, let entry, let outcome, let tellClient):
            ended(task, entry, outcome, tellClient: tellClient)
        case .forget(let task):
            errors[task] = nil
            causes[task] = nil
            placeOfTask[task] = nil
        case .close(let entry): close(entry)
        case .wake(let instant):
            engine.loop.cancel(timer: wakeTimer)
            wakeTimer = engine.loop.schedule(at: instant.nanoseconds) { [unowned self] in apply(.timePassed) }
        case .detached(let count):
            hasDetached = true
            // What was written down has to be on disk before the client goes.
            store.submit(.refresh) { [unowned self] _ in engine.client.link.send(.left, id: UInt64(count)) }
        case .finished: finish()
        }
    }

    private func submit(_ batch: BatchID, _ request: RequestID, _ ids: [EntryID], _ dependencies: [JobID]) {
        let calls = ids.compactMap { entries[$0] }.map { entry in
            JobCall(
                key: entry.place.key, function: entry.function, path: entry.place.description,
                command: command + [entry.place.directory, entry.place.key], tasks: entry.tasks)
        }
        let directives = engine.directives[request] ?? Attributes()
        jobs.submit(JobBatch(request: request, directives: directives, calls: calls, dependencies: dependencies)) {
            [unowned self] answer in
            switch answer {
            case .success(let ids): apply(.queued(batch, ids))
            case .failure(let refusal): apply(.refused(batch, refusal))
            }
        }
    }

    /// Numbers a place; the same as long as the table knows its entry.
    func entryID(of place: EntryPlace) -> EntryID {
        if let known = entryIDs[place] { return known }
        lastEntry += 1
        entryIDs[place] = EntryID(lastEntry)
        return EntryID(lastEntry)
    }

    private func close(_ id: EntryID) {
        guard let entry = entries.removeValue(forKey: id) else { return }
        entryIDs[entry.place] = nil
        // The worker did so too, unless it was ended in between.
        if entry.isClaimed { store.submit(.release(entry.place)) { _ in } }
    }

    /// A line for the user, once.
    func note(_ notes: [String]) {
        for text in notes where saidNotes.insert(text).inserted { engine.note(text) }
    }

    private func keepClaimsFresh() {
        guard refreshTimer == 0, entries.values.contains(where: \.isClaimed) else { return }
        refreshTimer = engine.loop.schedule(after: Store.refreshInterval) { [unowned self] in
            refreshTimer = 0
            store.submit(.refresh) { _ in }
            keepClaimsFresh()
        }
    }

    private func finish() {
        engine.loop.cancel(timer: wakeTimer)
        engine.loop.cancel(timer: refreshTimer)
        jobs.finish { [unowned self] in
            // Behind everything that is still to be written.
            store.submit(.close) { [unowned self] _ in engine.finish() }
        }
    }
}
