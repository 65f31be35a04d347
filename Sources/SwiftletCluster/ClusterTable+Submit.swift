// SPDX-License-Identifier: BSD-3-Clause
import SwiftletModel

// How calls come in, and how their entries become ready to be queued.
extension ClusterTable {
    mutating func submit(
        _ id: TaskID, _ entry: EntryID, request: RequestID, inputs: [TaskID], at now: Instant,
        into actions: inout [ClusterAction]
    ) {
        guard tasks[id] == nil else { return }
        tasks[id] = Task(entry: entry)
        unended += 1
        isHurried = isDetaching
        gatheredUntil = now.advanced(by: limits.gathering)
        if isClosed { return end(id, .refused("the executor has been shut down"), into: &actions) }
        for input in inputs {
            guard let task = tasks[input] else {
                return end(
                    id, .refused("\(input), an input, is not known: it was never submitted, or has been released"), into: &actions
                )
            }
            if let failure = task.outcome.flatMap({ passedOn($0, by: input) }) { return end(id, failure, into: &actions) }
        }
        for input in inputs where tasks[input]!.outcome == nil { tasks[input]!.dependants.append(id) }
        if entries[entry] != nil {
            entries[entry]!.tasks.append(id)
            if entries[entry]!.isRunning { actions.append(.started(id)) }
            return
        }
        var needed: [EntryID] = []
        for input in inputs where tasks[input]!.outcome == nil {
            let source = tasks[input]!.entry
            if source != entry && !needed.contains(source) { needed.append(source) }
        }
        entries[entry] = Entry(request: request, inputs: needed, tasks: [id])
        for source in needed { readers[source, default: []].append(entry) }
        look(for: entry, takingOver: nil, into: &actions)
    }

    mutating func look(for entry: EntryID, takingOver job: JobID?, into actions: inout [ClusterAction]) {
        looking += 1
        entries[entry]!.state = .looking
        actions.append(.look(entry, takingOver: job))
    }

    mutating func looked(
        _ id: EntryID, _ answer: LookAnswer, at now: Instant, into actions: inout [ClusterAction]
    ) {
        looking -= 1
        guard let entry = entries[id], entry.state == .looking else { return }
        switch answer {
        case .value: end(id, .value, into: &actions)
        case .claimed:
            entries[id]!.state = .blocked
            if entry.tasks.isEmpty { dropIfUnwanted(id, into: &actions) } else { consider(id) }
        case .taken(let job):
            entries[id]!.state = .foreign(job)
            if let job {
                jobs[job] = id
                // A system that tells of changes by itself has to know that we want to hear of this job.
                if limits.queryInterval == nil { actions.append(.query([job])) }
            }
            nudgeReaders(of: id)
            dropIfUnwanted(id, into: &actions)
        case .failed(let reason): end(id, .refused(reason), into: &actions)
        }
    }

    /// Puts the entry with others like it when every input has ended or can be waited for by a job.
    mutating func consider(_ id: EntryID) {
        guard let entry = entries[id], entry.state == .blocked else { return }
        var dependencies: [JobID] = []
        for input in entry.inputs {
            guard let source = entries[input] else { continue }  // it has ended
            if limits.foreignJobsVanish, !isDetaching, case .foreign = source.state { return }
            guard limits.hasDependencies, let job = source.state.job else { return }
            dependencies.append(job)
        }
        dependencies.sort { ($0.number, $0.index ?? -1) < ($1.number, $1.index ?? -1) }
        let group = Group(request: entry.request, dependencies: dependencies)
        if groups[group] == nil { groupOrder.append(group) }
        groups[group, default: []].append(id)
        entries[id]!.state = .gathering
    }

    mutating func nudgeReaders(of id: EntryID) {
        for reader in readers[id] ?? [] { consider(reader) }
    }

    /// What a dependant ends with because of this outcome; nil: it has its value.
    func passedOn(_ outcome: Outcome, by id: TaskID) -> Outcome? {
        switch outcome {
        case .value: nil
        case .cancelled(let origin): .cancelled(origin: origin ?? id)
        case .inputFailed(let origin): .inputFailed(origin: origin)
        case .error, .lost, .timeLimit, .refused: .inputFailed(origin: id)
        }
    }
}

extension ClusterTable.State {
    /// A job that another one can wait for.
    var job: JobID? {
        switch self {
        case .queued(let job): job
        case .foreign(let job): job
        default: nil
        }
    }
}
