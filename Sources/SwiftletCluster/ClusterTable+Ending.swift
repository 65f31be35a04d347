// SPDX-License-Identifier: BSD-3-Clause
import SwiftletModel

// How calls and entries end.
extension ClusterTable {
    /// Ends an entry, every call that waits for it, and what cannot run without it.
    mutating func end(_ id: EntryID, _ outcome: Outcome, into actions: inout [ClusterAction]) {
        guard let entry = entries[id] else { return }
        // Jobs that wait for this one want it to end well, not to go away.
        if outcome != .value || readers[id]?.isEmpty ?? true { sayThatJobIsDone(entry, into: &actions) }
        remove(id)
        for task in entry.tasks { end(task, outcome, into: &actions) }
        actions.append(.close(id))
        for reader in readers.removeValue(forKey: id) ?? [] { consider(reader) }
    }

    /// Ends a call; its dependants with it where it has no value.
    mutating func end(
        _ id: TaskID, _ outcome: Outcome, tellClient: Bool = true, into actions: inout [ClusterAction]
    ) {
        var ending: [(TaskID, Outcome, Bool)] = [(id, outcome, tellClient)]
        // Those that need an outcome are told of it before it is forgotten.
        var released: [TaskID] = []
        while let (id, outcome, tellClient) = ending.popLast() {
            guard let task = tasks[id], task.outcome == nil else { continue }
            tasks[id]!.outcome = outcome
            tasks[id]!.dependants = []
            if case .inputFailed(let origin) = outcome { tasks[origin]?.failed += 1 }
            unended -= 1
            actions.append(.ended(id, task.entry, outcome, tellClient: tellClient))
            leave(id, task.entry, into: &actions)
            if let failure = passedOn(outcome, by: id) {
                for dependant in task.dependants where isStopped(dependant, by: failure) {
                    ending.append((dependant, failure, true))
                }
            }
            if task.isReleased { released.append(id) }
        }
        for id in released { forgetIfUnused(id, into: &actions) }
    }

    /// A dependant that somebody else's work answers goes on without its input; and so does one that runs, for its job has
    /// the input, unless that has no value: then the job has nothing to say but that.
    private func isStopped(_ id: TaskID, by failure: Outcome) -> Bool {
        guard let task = tasks[id], let entry = entries[task.entry] else { return true }
        if case .foreign = entry.state { return false }
        if case .inputFailed = failure { return true }
        return !entry.isRunning
    }

    /// One call less waits for the entry; the last one takes it along.
    private mutating func leave(_ task: TaskID, _ id: EntryID, into actions: inout [ClusterAction]) {
        guard entries[id] != nil else { return }
        entries[id]!.tasks.removeAll { $0 == task }
        dropIfUnwanted(id, into: &actions)
    }

    /// Takes back what was done for an entry that no call waits for any more. What the store or the system is just doing is
    /// taken back when it is done.
    mutating func dropIfUnwanted(_ id: EntryID, into actions: inout [ClusterAction]) {
        guard let entry = entries[id], entry.tasks.isEmpty else { return }
        switch entry.state {
        case .looking, .queueing: return
        case .blocked, .gathering, .notQueued: actions.append(.withdraw(id))
        case .queued(let job):
            actions.append(.cancelJobs([job]))
            actions.append(.withdraw(id))
        case .missing(_, _, _, let isForeign): if !isForeign { actions.append(.withdraw(id)) }
        case .foreign: break
        }
        sayThatJobIsDone(entry, into: &actions)
        remove(id)
        actions.append(.close(id))
        readers[id] = nil
    }

    /// Also of a job that is over: when no call of a batch is left, the system takes out of the queue what has not started.
    private func sayThatJobIsDone(_ entry: Entry, into actions: inout [ClusterAction]) {
        guard entry.isShared else { return }
        switch entry.state {
        case .queued(let job), .missing(let job?, _, _, isForeign: false): actions.append(.jobIsDone(job))
        default: break
        }
    }

    private mutating func remove(_ id: EntryID) {
        guard let entry = entries.removeValue(forKey: id) else { return }
        if let job = entry.state.job { jobs[job] = nil }
        if case .queued = entry.state { queuedJobs -= 1 }
        for input in entry.inputs { readers[input]?.removeAll { $0 == id } }
    }

    mutating func cancel(_ id: TaskID, onlyIfNotStarted: Bool, into actions: inout [ClusterAction]) {
        guard let task = tasks[id], task.outcome == nil else { return }
        if onlyIfNotStarted, entries[task.entry]?.isRunning == true { return }
        end(id, .cancelled(origin: nil), tellClient: onlyIfNotStarted, into: &actions)
    }

    mutating func release(_ id: TaskID, into actions: inout [ClusterAction]) {
        tasks[id]?.isReleased = true
        forgetIfUnused(id, into: &actions)
    }

    /// A call that has ended is kept while the client refers to it, and while one is that ended because of it: dependants of that
    /// may still come, and are told why.
    private mutating func forgetIfUnused(_ id: TaskID, into actions: inout [ClusterAction]) {
        guard let task = tasks[id], let outcome = task.outcome, task.isReleased, task.failed == 0 else { return }
        tasks[id] = nil
        actions.append(.forget(id))
        guard case .inputFailed(let origin) = outcome, tasks[origin] != nil else { return }
        tasks[origin]!.failed -= 1
        forgetIfUnused(origin, into: &actions)
    }

    mutating func shutdown(cancelWaiting: Bool, into actions: inout [ClusterAction]) {
        isClosed = true
        guard cancelWaiting else { return }
        for id in tasks.keys.sorted(by: { $0.rawValue < $1.rawValue }) {
            cancel(id, onlyIfNotStarted: true, into: &actions)
        }
    }

    /// From now on jobs wait for what the client could have waited for itself.
    mutating func startDetaching() {
        (isDetaching, isHurried) = (true, true)
        guard limits.foreignJobsVanish else { return }
        for id in entries.keys.sorted(by: { $0.rawValue < $1.rawValue }) { consider(id) }
    }

    /// When everything that can be queued is queued, the client may go.
    mutating func detachIfDone(into actions: inout [ClusterAction]) {
        guard isDetaching, !hasDetached, looking == 0, batches.isEmpty, groupOrder.isEmpty else { return }
        hasDetached = true
        var left = 0
        if limits.outlivesClient {
            for (id, entry) in entries.sorted(by: { $0.key.rawValue < $1.key.rawValue })
            where entry.state == .blocked || entry.state == .notQueued {
                left += 1
                actions.append(.record(id, nil))
            }
        }
        actions.append(.detached(notQueued: left))
    }

    mutating func finishIfDone(into actions: inout [ClusterAction]) {
        guard !isFinished else { return }
        let hasLeft = hasDetached && (limits.outlivesClient || entries.isEmpty)
        guard hasLeft || (isClosed && unended == 0 && batches.isEmpty && looking == 0) else { return }
        isFinished = true
        actions.append(.finished)
    }
}
