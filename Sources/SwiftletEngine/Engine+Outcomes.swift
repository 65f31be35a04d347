// SPDX-License-Identifier: BSD-3-Clause
import CSwiftlet
import Glibc
import SwiftletModel
import SwiftletScheduler
import SwiftletTransport
import SwiftletWire

extension Outcome {
    /// The number of the kind in frame OUTCOME.
    var kind: UInt8 {
        switch self {
        case .value: 0
        case .error: 1
        case .lost: 2
        case .cancelled: 3
        case .inputFailed: 4
        case .timeLimit: 5
        case .refused: 6
        }
    }
}

extension Engine {
    func begun(_ task: TaskID, on id: WorkerID, attempt: Int) {
        guard let worker = workers[id] else { return }
        let now = sl_monotonic_ns()
        runs[task] = Run(worker: id, attempt: attempt, start: sl_unix_ns(), begun: now)
        worker.current = task
        worker.outputs.last?.startTail(hadCall: worker.lastAssigned != task || worker.assignedInTurn != loop.turn)
        if worker.isAnnounced { unannounced.append(worker) }
        worker.isAnnounced = false
        scheduleAnnouncement()
        observe(.started, task: task, worker: id, attempt: attempt)
    }

    /// Tells the client that tasks run which have done so for two milliseconds; shorter ones end before it is worth a frame.
    private func scheduleAnnouncement() {
        guard !announcementIsScheduled else { return }
        announcementIsScheduled = true
        loop.schedule(after: 2_000_000) { [unowned self] in
            announcementIsScheduled = false
            let now = sl_monotonic_ns()
            unannounced.removeAll { worker in
                guard let task = worker.current, let run = runs[task] else {
                    worker.isAnnounced = true
                    return true
                }
                guard now - run.begun >= 2_000_000 else { return false }
                worker.isAnnounced = true
                client.link.send(.started, id: task.rawValue)
                return true
            }
            if !unannounced.isEmpty { scheduleAnnouncement() }
        }
    }

    func ended(_ task: TaskID, _ outcome: Outcome, tellClient: Bool) {
        let run = runs.removeValue(forKey: task)
        let worker = run.flatMap { workers[$0.worker] }
        if worker?.current == task { worker?.current = nil }
        if outcome == .value || outcome == .error { keepPayloadInHand(for: task) }
        if callStore != nil { storeOutcome(of: task, outcome, run: run, worker: worker) }
        observe(.ended, task: task, worker: run?.worker, attempt: run?.attempt ?? 0, outcome: outcome)
        let attributes = attributes(of: task, outcome, worker: worker)
        if outcome.isCause { causes[task] = Cause(kind: outcome.kind, attributes) }
        guard tellClient else { return }
        let payload = payload(of: task, outcome)
        deliver(payload, to: client)
        let now = sl_monotonic_ns()
        client.link.send(.outcome, id: task.rawValue) { bytes in
            bytes.append(outcome.kind)
            bytes.append(0)
            bytes.append(integer: UInt16(clamping: run?.attempt ?? 0))
            bytes.append(integer: run?.worker.rawValue ?? 0)
            bytes.append(integer: UInt32(bitPattern: worker?.process ?? 0))
            bytes.append(integer: run?.start ?? 0)
            bytes.append(integer: run.map { now - $0.begun } ?? 0)
            attributes.write(to: &bytes)
            append(payload, for: client, to: &bytes)
        }
        watchUnread()
    }

    private func payload(of task: TaskID, _ outcome: Outcome) -> [UInt8] {
        switch outcome {
        case .value, .error: tasks[task]?.value ?? Payload.none.bytes
        case .inputFailed(let origin): tasks[origin].map(\.value).flatMap { $0.isEmpty ? nil : $0 } ?? Payload.none.bytes
        case .refused: initFailure ?? Payload.none.bytes
        case .lost, .cancelled, .timeLimit: Payload.none.bytes
        }
    }

    private func attributes(of task: TaskID, _ outcome: Outcome, worker: Worker?) -> Attributes {
        var attributes = Attributes()
        if let words = worker?.slotWords { attributes[text: "slot"] = words }
        switch outcome {
        case .value: return attributes
        case .error: break
        case .lost(let reasons):
            attributes[text: "reason"] = reasons.last.map { "\($0)" } ?? ""
            attributes[list: "attempts"] = reasons.map { "\($0)" }
            switch reasons.last {
            case .exited(let status): attributes[integer: "exit_status"] = Int(status)
            case .signalled(let signal): attributes[integer: "signal"] = Int(signal)
            case .memoryLimit(let limit, let used):
                attributes[integer: "memory_limit"] = Int(clamping: limit)
                attributes[integer: "memory_used"] = Int(clamping: used)
            case .failed, .taken, nil: break
            }
        case .cancelled(let origin): attributes[integer: "origin"] = origin.map { Int($0.rawValue) }
        case .inputFailed(let origin):
            attributes[integer: "origin"] = Int(origin.rawValue)
            causes[origin]?.add(to: &attributes)
        case .timeLimit:
            let limit = tasks[task].flatMap { requests[$0.request]?.timeLimit }
            attributes[number: "limit"] = limit.map { Double($0) / 1e9 }
        case .refused(let reason): attributes[text: "reason"] = reason
        }
        if let node = worker?.slot.placements.first?.name, !node.isEmpty { attributes[text: "host"] = node }
        if let tail = worker?.errorTail, !tail.isEmpty { attributes[text: "stderr"] = tail }
        return attributes
    }
}

/// Why a task has neither a value nor an error of its own, for those that depend on it.
struct Cause {
    let kind: UInt8
    let attributes: [UInt8]

    init(kind: UInt8, _ attributes: Attributes) {
        self.kind = kind
        var bytes: [UInt8] = []
        attributes.write(to: &bytes)
        self.attributes = bytes
    }

    func add(to attributes: inout Attributes) {
        attributes[integer: "cause_kind"] = Int(kind)
        attributes[bytes: "cause"] = self.attributes
    }
}

extension Outcome {
    /// Whether others may end because of it, with nothing but its attributes to tell why.
    var isCause: Bool {
        switch self {
        case .lost, .timeLimit, .refused: true
        case .value, .error, .cancelled, .inputFailed: false
        }
    }
}
