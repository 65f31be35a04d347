// SPDX-License-Identifier: BSD-3-Clause
public import SwiftletModel

// Why a task is where it is, in plain words.
extension Scheduler {
    /// One or two sentences on why the task waits, or what it does. Costs time in the number of ready tasks.
    public func explain(_ id: TaskID, at now: Instant) -> String {
        guard let slot = tasksByID[id.rawValue] else { return "unknown: it was never submitted, or has been released" }
        let task = tasks[slot]
        switch task.state {
        case .external: return "waits for the client to end it"
        case .waiting: return explainWaiting(slot)
        case .ready: return explainReady(slot)
        case .delayed:
            return "its worker could not be started; it is tried again"
        case .prefetched:
            return "has been given to \(workers[task.worker].id), and begins after the call that runs there"
        case .running:
            let worker = workers[task.worker]
            return "runs on \(worker.id) since \(seconds(worker.running(at: now))) s, attempt \(task.attempts)"
        case .value: return "ended: with a value"
        case .error: return "ended: its call raised an error"
        case .cancelled:
            return task.origin == id ? "ended: cancelled" : "ended: cancelled, because its input \(task.origin) was"
        case .inputFailed: return "ended: it needs \(task.origin), which failed"
        case .timeLimit: return "ended: it ran longer than its limit"
        case .lost, .refused: return explainDetails(of: id)
        }
    }

    private func explainWaiting(_ slot: Slot) -> String {
        var missing: Set<TaskID> = []
        var edge = tasks[slot].inputs
        while edge.isSomewhere {
            let input = edges[edge].input
            if !tasks[input].state.isEnded { missing.insert(tasks[input].id) }
            edge = edges[edge].nextInput
        }
        let ids = missing.sorted { $0.rawValue < $1.rawValue }
        let names = ids.prefix(10).map(\.description).joined(separator: ", ")
        return "waits for \(counted(ids.count, "input")): \(names)\(ids.count > 10 ? ", …" : "")"
    }

    private func explainReady(_ slot: Slot) -> String {
        if isPaused { return "paused: nothing new starts until the client has read what it was sent" }
        let ahead = tasksAhead(of: slot)
        let suffix = ahead == 0 ? "" : "; \(counted(ahead, "task")) \(ahead == 1 ? "is" : "are") ahead of it"
        switch mode {
        case .fresh: return "ready, waits for \(missingResources(of: slot))\(suffix)"
        case .warm where pool.target == 0: return "ready, but the executor has no workers\(suffix)"
        case .warm:
            return "ready, waits for a worker: none of \(pool.target) is free\(suffix)"
        }
    }

    private func missingResources(of slot: Slot) -> String {
        let need = classes[Int(tasks[slot].requestClass)].need
        if need.cores > free.cores, let all = capacity.cores {
            return "\(counted(need.cores, "core")): \(free.cores) of \(all) \(free.cores == 1 ? "is" : "are") free"
        }
        if need.workers > free.workers, let all = capacity.workers {
            return "one of \(counted(all, "worker")): none is free"
        }
        if need.gpus > free.gpus {
            let areFree = free.gpus == 1 ? "is free" : "are free"
            return "\(counted(need.gpus, "GPU")): \(free.gpus) of \(capacity.gpus) \(areFree)"
        }
        if need.memory > free.memory, let all = capacity.memory {
            return "\(need.memory) bytes of memory: \(free.memory) of \(all) are free"
        }
        return "a larger task that has been overtaken often enough"
    }

    private func tasksAhead(of slot: Slot) -> Int {
        let own = classes[Int(tasks[slot].requestClass)].request.priority
        var ahead = 0
        for index in 0..<tasks.highWater {
            let other = tasks[Slot(rawValue: index)]
            guard other.state == .ready else { continue }
            let priority = classes[Int(other.requestClass)].request.priority
            if priority > own || (priority == own && other.id.rawValue < tasks[slot].id.rawValue) { ahead += 1 }
        }
        return ahead
    }

    private func explainDetails(of id: TaskID) -> String {
        switch details[id] {
        case .lost(let reasons):
            let texts = reasons.enumerated().map { "attempt \($0 + 1) \($1)" }
            return "ended: its worker died (\(texts.joined(separator: "; ")))"
        case .refused(let reason): return "ended: refused, \(reason)"
        default: return "ended"
        }
    }

    private func counted(_ count: Int, _ noun: String) -> String { "\(count) \(noun)\(count == 1 ? "" : "s")" }

    private func seconds(_ nanoseconds: UInt64) -> String {
        let tenths = (nanoseconds + 50_000_000) / 100_000_000
        return "\(tenths / 10).\(tenths % 10)"
    }
}
