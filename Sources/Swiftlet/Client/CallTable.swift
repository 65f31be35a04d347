// SPDX-License-Identifier: BSD-3-Clause
import SwiftletEngine
import SwiftletModel
import SwiftletTransport
import SwiftletWire
import Synchronization

/// The calls that have not ended, and what the engine says about them.
final class CallTable: Sendable {
    private struct State {
        var nextTask: UInt64 = 1
        var pending: [TaskID: PendingCall] = [:]
        /// No call is accepted any more.
        var isClosed = false
        var engineHasEnded = false
        /// Why the executor can run nothing, where that is its configuration's fault.
        var refusal: TaskError?
        var waitingForEnd: [CheckedContinuation<Void, Never>] = []
        /// The program leaves its jobs.
        var isLeaving = false
        var waitingForLeave: CheckedContinuation<Int?, Never>?
        /// Bytes that tasks have printed and this program has not written yet.
        var unwritten = 0
        var isOver: Bool { engineHasEnded && unwritten == 0 }
        /// Tasks that observers have heard of and that have not ended; empty where nobody observes.
        var observed: [TaskID: ObservedTask] = [:]
    }

    private let state = Mutex(State())
    private let observers: [any TaskObserver]
    private let outputs = Mutex<[UInt8: WriterThread]>([:])
    /// Submits a job of Flux that the engine has asked for.
    let onSubmission = Mutex<(@Sendable (UInt64, Attributes) -> Void)?>(nil)

    init(observers: [any TaskObserver]) { self.observers = observers }

    /// A new call; nil where none is accepted any more. It is the only one where no other is pending, and nobody observes: telling the
    /// engine of it can call nothing of the program's.
    func add(
        _ name: @autoclosure () -> String, _ make: (TaskID) -> PendingCall
    ) -> (call: PendingCall, isOnly: Bool)? {
        let added = state.withLock { state -> (call: PendingCall, isOnly: Bool)? in
            guard !state.isClosed else { return nil }
            let call = make(TaskID(state.nextTask))
            state.nextTask += 1
            state.pending[call.task] = call
            return (call, state.pending.count == 1 && observers.isEmpty)
        }
        if let added, !observers.isEmpty { submitted(added.call.task, name()) }
        return added
    }

    /// Why no call is accepted any more.
    var refusal: TaskError { state.withLock { $0.refusal } ?? TaskError(.engineEnded, "the executor has ended") }

    func forget(_ task: TaskID) {
        // The call must not be the lock's to free: its end sends a frame.
        let call = state.withLock { $0.pending.removeValue(forKey: task) }
        withExtendedLifetime(call) {}
        if !observers.isEmpty { ended(task, .failure(TaskError(.cancelled, "the task was cancelled")), nanoseconds: 0) }
    }

    private func submitted(_ task: TaskID, _ name: String) {
        let observed = ObservedTask(number: task.rawValue, name: name)
        state.withLock { $0.observed[task] = observed }
        for observer in observers { observer.submitted(observed) }
    }

    private func ended(_ task: TaskID, _ outcome: PendingCall.Outcome, nanoseconds: UInt64) {
        guard let observed = state.withLock({ $0.observed.removeValue(forKey: task) }) else { return }
        let error: TaskError? = if case .failure(let error) = outcome { error } else { nil }
        let end = ObservedEnd(error: error, duration: .nanoseconds(Int64(clamping: nanoseconds)))
        for observer in observers { observer.ended(observed, end) }
    }

    var pending: [PendingCall] { state.withLock { Array($0.pending.values) } }

    /// Asks, and waits until the engine says that the program may go: how many calls are not queued. nil where it ended instead.
    func left(_ ask: () -> Void) async -> Int? {
        await withCheckedContinuation { continuation in
            let isOver = state.withLock { state in
                let isOver = state.isClosed
                (state.isClosed, state.isLeaving) = (true, true)
                if !isOver { state.waitingForLeave = continuation }
                return isOver
            }
            if isOver { continuation.resume(returning: nil) } else { ask() }
        }
    }

    private func leaveEnded(_ count: Int?) {
        let waiting = state.withLock { state in
            defer { state.waitingForLeave = nil }
            return state.waitingForLeave
        }
        waiting?.resume(returning: count)
    }

    func close() { state.withLock { $0.isClosed = true } }

    /// Returns when the engine is gone and what tasks printed is written.
    func end() async {
        await withCheckedContinuation { continuation in
            let isOver = state.withLock { state in
                if !state.isOver { state.waitingForEnd.append(continuation) }
                return state.isOver
            }
            if isOver { continuation.resume() }
        }
        outputs.withLock { $0 = [:] }
        onSubmission.withLock { $0 = nil }
    }

    private func resumeIfOver() {
        let waiting = state.withLock { state -> [CheckedContinuation<Void, Never>] in
            guard state.isOver else { return [] }
            defer { state.waitingForEnd = [] }
            return state.waitingForEnd
        }
        for continuation in waiting { continuation.resume() }
    }

    /// What tasks print appears where this program prints; how much of it was written is told to `engine`.
    func acknowledgeOutput(through engine: InProcessEngine) {
        outputs.withLock { writers in
            for stream: UInt8 in [1, 2] {
                writers[stream] = WriterThread(descriptor: Int32(stream)) { count in
                    engine.send { $0.append(frame: .outputAck, id: UInt64(count)) }
                    self.state.withLock { $0.unwritten -= count }
                    self.resumeIfOver()
                }
            }
        }
    }

    // MARK: from the engine, on its thread

    func received(_ bytes: [UInt8]) {
        // Who waits is told when all frames are read: one that waits for many tasks, one after the other, is woken once for all of them.
        var waiting: [() -> Void] = []
        do {
            try bytes.withUnsafeBytes { try forEachFrame(in: $0) { try received($0, $1, telling: &waiting) } }
        } catch { engineEnded("\(error)") }
        waiting.forEach { $0() }
    }

    private func received(
        _ header: FrameHeader, _ body: UnsafeRawBufferPointer, telling waiting: inout [() -> Void]
    ) throws {
        switch FrameType(rawValue: header.type) {
        case .outcome:
            let call = state.withLock { $0.pending.removeValue(forKey: TaskID(header.id)) }
            let outcome = try OutcomeFrame(body)
            if !observers.isEmpty { ended(TaskID(header.id), outcome.result, nanoseconds: outcome.duration) }
            if let call, let others = call.settle(outcome.result), !others.isEmpty { waiting += others }
        case .output:
            guard let writer = outputs.withLock({ $0[header.flags] }) else { return }
            state.withLock { $0.unwritten += body.count }
            writer.write(body)
        case .fluxSubmit: onSubmission.withLock { $0 }?(header.id, try Attributes(body: body))
        case .left: leaveEnded(Int(clamping: header.id))
        case .goodbye where header.flags & 1 != 0:
            let refusal = TaskError(.refused, String(decoding: body, as: UTF8.self))
            state.withLock { $0.refusal = refusal }
            engineEnded(nil, isGone: false)
        case .goodbye where !body.isEmpty: engineEnded(String(decoding: body, as: UTF8.self), isGone: false)
        default: break  // hello, started, budget: nothing to do for this client
        }
    }

    /// - Parameter isGone: it and all its processes are; else that is still to come.
    func engineEnded(_ reason: String?, isGone: Bool = true) {
        let (pending, isLeaving, refusal) = state.withLock { state in
            defer { state.pending = [:] }
            state.isClosed = true
            if isGone { state.engineHasEnded = true }
            return (Array(state.pending.values), state.isLeaving, state.refusal)
        }
        leaveEnded(nil)
        var text = "the engine has ended" + (reason.map { ": \($0)" } ?? " before the task did")
        if isLeaving, reason == nil {
            text = "the executor was left; the job goes on, and who submits the task with the same cacheKey gets its value"
        }
        for call in pending {
            let outcome = PendingCall.Outcome.failure(refusal ?? TaskError(.engineEnded, text))
            if !observers.isEmpty { ended(call.task, outcome, nanoseconds: 0) }
            call.end(outcome)
        }
        resumeIfOver()
    }
}
