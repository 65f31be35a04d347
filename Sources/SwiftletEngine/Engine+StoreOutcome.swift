// SPDX-License-Identifier: BSD-3-Clause
import CSwiftlet
import SwiftletModel
import SwiftletScheduler
import SwiftletStore
import SwiftletTransport
import SwiftletWire

/// Outcomes that are written when the process of their call has ended, so that they can say how.
struct UnwrittenOutcomes {
    private var outcomes: [WorkerID: (place: EntryPlace, outcome: StoredTask)] = [:]
    private var workers: [EntryPlace: WorkerID] = [:]

    mutating func add(_ worker: WorkerID, _ place: EntryPlace, _ outcome: StoredTask) {
        outcomes[worker] = (place, outcome)
        workers[place] = worker
    }

    mutating func take(_ worker: WorkerID) -> (place: EntryPlace, outcome: StoredTask)? {
        guard let found = outcomes.removeValue(forKey: worker) else { return nil }
        workers[found.place] = nil
        return found
    }

    func worker(at place: EntryPlace) -> WorkerID? { workers[place] }
    var all: [WorkerID] { Array(outcomes.keys) }
}

extension Engine {
    /// How long the process of a call may take to end until its outcome is written without saying how it did, in nanoseconds.
    private static let patienceForEnd: UInt64 = 500_000_000

    /// Leaves an outcome in the store: at once, or where a process ends with its call when that has ended.
    func write(_ outcome: StoredTask, at place: EntryPlace, of worker: Worker?) {
        guard let worker, worker.isFresh, workers[worker.id] === worker else { return write(outcome, at: place) }
        callStore?.unwritten.add(worker.id, place, outcome)
        loop.schedule(after: Self.patienceForEnd) { [unowned self, id = worker.id] in writeOutcome(of: id) }
    }

    private func write(_ outcome: StoredTask, at place: EntryPlace) {
        callStore?.thread.submit(.finish(place, outcome.header, parts: outcome.parts)) { [unowned self] in
            if case .failed(let reason, _) = $0 { say(["\(reason); its result is not stored"]) }
        }
    }

    /// The process of a call has ended (`end`), or nobody wants to wait for that any longer.
    func writeOutcome(of worker: WorkerID, _ end: ProcessEnd? = nil) {
        guard case (let place, var outcome)? = callStore?.unwritten.take(worker) else { return }
        switch end {
        case .exited(let status): outcome.header.provenance?["exit_status"] = .integer(Int(status))
        case .signalled(let signal): outcome.header.provenance?["signal"] = .integer(Int(signal))
        case .memoryLimit, .failed, .taken, nil: break
        }
        write(outcome, at: place)
    }

    /// An outcome that somebody looks for now is written now.
    func writeOutcome(at place: EntryPlace) {
        if let worker = callStore?.unwritten.worker(at: place) { writeOutcome(of: worker) }
    }

    func writeAllOutcomes() {
        for worker in callStore?.unwritten.all ?? [] { writeOutcome(of: worker) }
    }

    func outcomeEntry(
        of task: TaskID, _ place: EntryPlace, _ about: (function: String, inputs: [String]), _ outcome: Outcome, run: Run?,
        worker: Worker?
    ) -> StoredTask? {
        guard let payloads = tasks[task], let run else { return nil }
        let entry = payloads.call.withUnsafeBytes { raw -> StoredTask? in
            var reader = ByteReader(raw)
            guard let layout = try? CallLayout(&reader), let arguments = try? bytes(ofPayload: raw[layout.payloadOffset...]),
                let value = try? bytes(ofPayload: payloads.value)
            else { return nil }
            let functions = layout.blobs.dropFirst().prefix(1).compactMap { blobs[$0] }
            let name = outcome == .value ? "value" : "error"
            let names =
                functions.map { _ in "function" } + arguments.map { _ in "arguments" } + value.map { _ in name }
            let parts = functions + arguments + value
            return StoredTask(
                header: EntryHeader(
                    key: place.key, kind: outcome == .value ? .value : .error, function: about.function,
                    inputs: about.inputs.isEmpty ? nil : about.inputs,
                    parts: zip(names, parts).map { .init(name: $0, length: $1.count) },
                    resources: directives[payloads.request]?.headerValues,
                    provenance: provenance(of: run, worker)),
                parts: parts)
        }
        if entry == nil { log.write("the outcome of \(task) could not be gathered for the store") }
        return entry
    }

    private func provenance(of run: Run, _ worker: Worker?) -> [String: HeaderValue] {
        let duration = Double(sl_monotonic_ns() - run.begun) / 1e9
        let start = Double(run.start) / 1e9
        var provenance = configuration?.provenance ?? [:]
        provenance["pid"] = .integer(Int(worker?.process ?? 0))
        provenance["start"] = .number(start)
        provenance["end"] = .number(start + duration)
        provenance["duration"] = .number(duration)
        if let tail = worker?.errorTail, !tail.isEmpty { provenance["stderr"] = .text(tail) }
        return provenance
    }
}
