// SPDX-License-Identifier: BSD-3-Clause
public import SwiftletModel

// Why a task is where it is, in plain words.
extension Scheduler {
    /// One or two sentences on why the task waits, or what it does. Costs time in the number of ready tasks.
    public func explain(_ id: TaskID, at now: Instant) -> String {
        guard let place = tasksByID[id.rawValue] else { return "unknown: it was never submitted, or has been released" }
        let task = tasks[place]
        switch task.state {
        case .external: return "waits for the client to end it"
        case .waiting: return explainWaiting(place)
        case .ready: return explainReady(place)
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

    private func explainWaiting(_ place: Place) -> String {
        var missing: Set<TaskID> = []
        var edge = tasks[place].inputs
        while edge.isSomewhere {
            let input = edges[edge].input
            if !tasks[input].state.isEnded { missing.insert(tasks[input].id) }
            edge = edges[edge].nextInput
        }
        let ids = missing.sorted { $0.rawValue < $1.rawValue }
        let names = ids.prefix(10).map(\.description).joined(separator: ", ")
        return "waits for \(counted(ids.count, "input")): \(names)\(ids.count > 10 ? ", …" : "")"
    }

    private func explainReady(_ place: Place) -> String {
        if isPaused { return "paused: nothing new starts until the client has read what it was sent" }
        let ahead = tasksAhead(of: place)
        let suffix = ahead == 0 ? "" : "; \(counted(ahead, "task")) \(ahead == 1 ? "is" : "are") ahead of it"
        switch mode {
        case .fresh: return "ready, waits for \(missingResources(of: place))\(suffix)"
        case .warm where nodes.nodes.allSatisfy({ !$0.isUp }):
            return "ready, waits for a worker: none of \(pool.target) is there yet\(suffix)"
        case .warm where pool.target == 0: return "ready, but the executor has no workers\(suffix)"
        case .warm:
            return "ready, waits for a worker: none of \(pool.target) is free\(suffix)"
        }
    }

    private func missingResources(of place: Place) -> String {
        let shape = classes[Int(tasks[place].requestClass)].shape
        if shape.cores > nodes.freeCores, let all = capacity.cores {
            return "\(counted(shape.cores, "core")): \(free(nodes.freeCores, of: all))"
        }
        if nodes.freeWorkers < 1, let all = capacity.workers {
            return "one of \(counted(all, "worker")): none is free"
        }
        if nodes.plan(shape) != nil { return "a larger task that has been overtaken often enough" }
        let up = nodes.nodes.filter(\.isUp)
        if up.isEmpty { return "a node: none of \(nodes.nodes.count) is there" }
        switch shape.spread {
        case .one where nodes.nodes.count == 1: return missingResources(shape.need(shape.ranks), on: up[0])
        case .one:
            let need = shape.need(shape.ranks)
            return "\(words(need)) on one node: none of \(counted(up.count, "node")) has that free"
        case .evenly(let count):
            let need = shape.need(-(-shape.ranks / count))
            let able = up.count { $0.fits(need) }
            return
                "\(counted(count, "node")) with \(words(need)) each: \(able) of \(up.count) \(able == 1 ? "has" : "have") that free"
        case .asNeeded:
            let room = up.reduce(0) { $0 + $1.room(for: shape, most: shape.ranks) }
            return "room for \(counted(shape.ranks, "rank")): there is room for \(room)"
        }
    }

    private func missingResources(_ need: NodeNeed, on node: NodeState) -> String {
        if need.isWhole, node.slots > 0 {
            return "the whole node: \(counted(node.slots, "other call")) \(node.slots == 1 ? "is" : "are") on it"
        }
        if need.cores > node.cores, let all = node.node.coreCount {
            return "\(counted(need.cores, "core")): \(free(node.cores, of: all))"
        }
        if need.gpus > node.freeGPUs {
            return "\(counted(need.gpus, "GPU")): \(free(node.freeGPUs, of: node.node.gpus.count))"
        }
        if !node.allowsGPUs(of: need) {
            let others = need.choosesGPUs ? "calls that are no steps" : "steps, whose GPUs their launcher chooses"
            return "\(counted(need.gpus, "GPU")): those that are taken belong to \(others)"
        }
        if need.memory > node.memory, let all = node.node.memory {
            return "\(need.memory) bytes of memory: \(node.memory) of \(all) are free"
        }
        return "a call that has the whole node"
    }

    private func words(_ need: NodeNeed) -> String {
        let parts = [
            counted(need.cores, "core"), need.gpus > 0 ? counted(need.gpus, "GPU") : nil,
            need.memory > 0 ? "\(need.memory) bytes of memory" : nil, need.isWhole ? "nobody else" : nil,
        ]
        return parts.compactMap(\.self).joined(separator: ", ")
    }

    private func free(_ count: Int, of all: Int) -> String { "\(count) of \(all) \(count == 1 ? "is" : "are") free" }

    private func tasksAhead(of place: Place) -> Int {
        let own = classes[Int(tasks[place].requestClass)].request.priority
        var ahead = 0
        for index in 0..<tasks.highWater {
            let other = tasks[Place(rawValue: index)]
            guard other.state == .ready else { continue }
            let priority = classes[Int(other.requestClass)].request.priority
            if priority > own || (priority == own && other.id.rawValue < tasks[place].id.rawValue) { ahead += 1 }
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
