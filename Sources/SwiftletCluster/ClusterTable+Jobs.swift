// SPDX-License-Identifier: BSD-3-Clause
import SwiftletModel

// What becomes of jobs, and when their entries are looked for.
extension ClusterTable {
    /// Nanoseconds between checks for each entry that is watched: ten thousand are looked at once in two seconds.
    private static let checkCost: UInt64 = 200_000

    mutating func heard(
        _ answer: [JobID: JobStatus], isAnswer: Bool, at now: Instant, into actions: inout [ClusterAction]
    ) {
        if isAnswer { isQuerying = false }
        var over: [EntryID] = []
        for (job, status) in answer {
            guard let id = jobs[job], let entry = entries[id], entry.state.job == job else { continue }
            switch status {
            case .waiting:
                // A job that was running and was put back into the queue.
                entries[id]!.isRunning = false
            case .running:
                guard !entry.isRunning else { continue }
                entries[id]!.isRunning = true
                for task in entry.tasks { actions.append(.started(task)) }
            case .ended(let reason):
                missing(id, job, reason, at: now)
                over.append(id)
            case .refused(let reason): neverRan(id, job, reason, into: &actions)
            case .unknown:
                missing(id, job, "\(limits.system) does not know it any more", at: now)
                over.append(id)
            }
        }
        if !over.isEmpty { actions.append(.check(over.sorted { $0.rawValue < $1.rawValue })) }
    }

    /// Its job never ran and never could, so that no outcome has to be waited for.
    private mutating func neverRan(_ id: EntryID, _ job: JobID, _ reason: String, into actions: inout [ClusterAction]) {
        if case .foreign = entries[id]!.state {
            jobs[job] = nil
            return look(for: id, takingOver: job, into: &actions)
        }
        actions.append(.withdraw(id))
        end(id, .refused(reason), into: &actions)
    }

    private mutating func missing(_ id: EntryID, _ job: JobID, _ reason: String?, at now: Instant) {
        let isForeign = if case .foreign = entries[id]!.state { true } else { false }
        if !isForeign { queuedJobs -= 1 }
        jobs[job] = nil
        entries[id]!.state = .missing(job, until: now.advanced(by: limits.visibleWithin), reason: reason, isForeign: isForeign)
        nextCheck = min(nextCheck ?? .distantFuture, now.advanced(by: min(limits.checkInterval, limits.visibleWithin)))
    }

    func waitsForNobody(_ state: State) -> Bool {
        if case .foreign(nil) = state { true } else { false }
    }

    mutating func appeared(_ id: EntryID, _ end: EntryEnd, into actions: inout [ClusterAction]) {
        guard let entry = entries[id], entry.state.canAppear else { return }
        switch end {
        case .value: self.end(id, .value, into: &actions)
        case .error: self.end(id, .error, into: &actions)
        case .timeLimit: self.end(id, .timeLimit, into: &actions)
        case .lost(let reason): self.end(id, .lost(reasons: [.failed(reason)]), into: &actions)
        }
    }

    mutating func absent(_ id: EntryID, at now: Instant, into actions: inout [ClusterAction]) {
        guard case .missing(let job, let until, let reason, let isForeign)? = entries[id]?.state, until <= now else { return }
        if isForeign { return look(for: id, takingOver: job, into: &actions) }
        let cause = reason ?? "timeout, out-of-memory, node failure or cancellation"
        let name = job.map { "job \($0)" } ?? "its job"
        let text = "queue \(name) of \(limits.system) terminated without producing output (\(cause))"
        actions.append(.withdraw(id))
        end(id, .lost(reasons: [.failed(text)]), into: &actions)
    }

    mutating func holderGone(_ id: EntryID, into actions: inout [ClusterAction]) {
        guard let entry = entries[id], case .foreign(nil) = entry.state else { return }
        look(for: id, takingOver: nil, into: &actions)
    }

    /// Asks for entries and jobs whose time has come.
    mutating func look(at now: Instant, into actions: inout [ClusterAction]) {
        // Not for every event: a check of many entries has as many answers.
        if entries.isEmpty {
            nextCheck = nil
        } else if let due = nextCheck, due <= now {
            let watched = entries.filter { isWatched($0.value) }.keys.sorted { $0.rawValue < $1.rawValue }
            if !watched.isEmpty { actions.append(.check(watched)) }
            nextCheck = now.advanced(by: max(limits.checkInterval, UInt64(watched.count) * Self.checkCost))
        } else if nextCheck == nil {
            nextCheck = now.advanced(by: limits.checkInterval)
        }
        guard let interval = limits.queryInterval else { return }
        if jobs.isEmpty {
            nextQuery = nil
        } else if let due = nextQuery, due <= now, !isQuerying {
            isQuerying = true
            actions.append(.query(jobs.keys.sorted { ($0.number, $0.index ?? -1) < ($1.number, $1.index ?? -1) }))
            nextQuery = now.advanced(by: interval)
        } else if nextQuery == nil {
            nextQuery = now.advanced(by: interval)
        }
    }

    /// Whether nobody tells us when its outcome is there.
    private func isWatched(_ entry: Entry) -> Bool {
        switch entry.state {
        case .foreign, .missing: true
        case .queued: limits.queryInterval != nil || entry.isShared
        case .looking, .blocked, .gathering, .queueing, .notQueued: false
        }
    }

    /// The next moment at which something is due by time alone.
    mutating func armWake(into actions: inout [ClusterAction]) {
        guard !isFinished else { return }
        let gathered = groupOrder.isEmpty || !limits.areKnown ? nil : gatheredUntil
        let times = [gathered, nextCheck, isQuerying ? nil : nextQuery, retryAt, roomGrowsAt]
        guard let next = times.compactMap({ $0 }).min() else { return }
        guard next != armedWake else { return }
        armedWake = next
        actions.append(.wake(at: next))
    }
}

extension ClusterTable.State {
    /// Whether an outcome that is seen now is the one that is waited for.
    var canAppear: Bool {
        switch self {
        case .queued, .foreign, .missing: true
        case .looking, .blocked, .gathering, .queueing, .notQueued: false
        }
    }
}

extension Instant {
    static let distantFuture = Instant(nanoseconds: .max)
}
