// SPDX-License-Identifier: BSD-3-Clause
import CSwiftlet
import SwiftletModel
import SwiftletScheduler
import SwiftletStore
import SwiftletTransport
import SwiftletWire

/// An outcome on its way into the store, and the parts in segments that have to stay until it is there.
struct UnwrittenOutcome {
    let place: EntryPlace
    var outcome: StoredTask
    let held: [Payload.SegmentPart]
}

/// Outcomes that are written when the process of their call has ended, so that they can say how.
struct UnwrittenOutcomes {
    private var outcomes: [WorkerID: UnwrittenOutcome] = [:]
    private var workers: [EntryPlace: WorkerID] = [:]

    mutating func add(_ worker: WorkerID, _ outcome: UnwrittenOutcome) {
        outcomes[worker] = outcome
        workers[outcome.place] = worker
    }

    mutating func take(_ worker: WorkerID) -> UnwrittenOutcome? {
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
    func write(_ unwritten: UnwrittenOutcome, of worker: Worker?) {
        guard let worker, worker.isFresh, workers[worker.id] === worker else { return write(unwritten) }
        callStore?.unwritten.add(worker.id, unwritten)
        loop.schedule(after: Self.patienceForEnd) { [unowned self, id = worker.id] in writeOutcome(of: id) }
    }

    private func write(_ unwritten: UnwrittenOutcome) {
        callStore?.thread.submit(.finish(unwritten.place, unwritten.outcome)) { [unowned self] in
            letGo(unwritten.held)
            if case .failed(let reason, _) = $0 { say(["\(reason); its result is not stored"]) }
        }
    }

    /// The process of a call has ended (`end`), or nobody wants to wait for that any longer.
    func writeOutcome(of worker: WorkerID, _ end: ProcessEnd? = nil) {
        guard var unwritten = callStore?.unwritten.take(worker) else { return }
        switch end {
        case .exited(let status): unwritten.outcome.header.provenance?["exit_status"] = .integer(Int(status))
        case .signalled(let signal): unwritten.outcome.header.provenance?["signal"] = .integer(Int(signal))
        case .memoryLimit, .failed, .taken, nil: break
        }
        write(unwritten)
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
    ) -> UnwrittenOutcome? {
        guard let payloads = tasks[task], let run else { return nil }
        var stored = StoredParts()
        do {
            let name = outcome == .value ? "value" : "error"
            var names: [String] = []
            try payloads.call.withUnsafeBytes { raw in
                var reader = ByteReader(raw)
                let layout = try CallLayout(&reader)
                for function in layout.blobs.dropFirst().prefix(1).compactMap({ blobs[$0] }) { stored.add(function) }
                names += stored.parts.map { _ in "function" }
                stored.add(try storedParts(of: raw[layout.payloadOffset...]))
            }
            names += Array(repeating: "arguments", count: stored.parts.count - names.count)
            stored.add(try storedParts(of: payloads.value))
            names += Array(repeating: name, count: stored.parts.count - names.count)
            let header = EntryHeader(
                key: place.key, kind: outcome == .value ? .value : .error, function: about.function,
                inputs: about.inputs.isEmpty ? nil : about.inputs,
                parts: zip(names, stored.lengths).map { .init(name: $0, length: $1) },
                resources: directives[payloads.request]?.headerValues, provenance: provenance(of: run, worker))
            return UnwrittenOutcome(
                place: place, outcome: StoredTask(header: header, parts: stored.parts, files: stored.files), held: stored.held)
        } catch {
            letGo(stored.held)
            log.write("the outcome of \(task) could not be gathered for the store: \(error)")
            return nil
        }
    }

    private func provenance(of run: Run, _ worker: Worker?) -> [String: HeaderValue] {
        let duration = Double(sl_monotonic_ns() - run.begun) / 1e9
        let start = Double(run.start) / 1e9
        var provenance = configuration?.provenance ?? [:]
        if let place = worker?.slot.placements.first, configuration?.nodes != nil {
            provenance["host"] = .text(agents[place.node]?.host ?? place.name)
        }
        provenance["pid"] = .integer(Int(worker?.process ?? 0))
        provenance["start"] = .number(start)
        provenance["end"] = .number(start + duration)
        provenance["duration"] = .number(duration)
        if let tail = worker?.errorTail, !tail.isEmpty { provenance["stderr"] = .text(tail) }
        return provenance
    }
}
