// SPDX-License-Identifier: BSD-3-Clause
import CSwiftlet
import SwiftletModel
import SwiftletScheduler
import SwiftletTransport
import SwiftletWire

/// What can be observed of an engine; the numbers are those of frame EVENT.
enum EventKind: UInt8 {
    case submitted = 1
    case ready = 2
    case started = 3
    case ended = 4
    case workerUp = 5
    case workerDown = 6
}

extension Engine {
    /// The one stream of events: the log reads it, and the client when it has subscribed.
    func observe(
        _ kind: EventKind, task: TaskID? = nil, worker: WorkerID? = nil, attempt: Int = 0, outcome: Outcome? = nil,
        end: ProcessEnd? = nil
    ) {
        guard isSubscribed || log.isOn else { return }
        if log.isOn {
            let words = [
                task.map { "\($0)" }, "\(kind)", worker.map { "on \($0)" }, attempt > 1 ? "attempt \(attempt)" : nil,
                outcome.map { "\($0)" }, end.map { "\($0)" },
            ]
            log.write(words.compactMap { $0 }.joined(separator: " "))
        }
        guard isSubscribed else { return }
        client.link.send(.event, id: task?.rawValue ?? 0) { bytes in
            bytes.append(kind.rawValue)
            bytes.append(integer: sl_unix_ns())
            bytes.append(integer: worker?.rawValue ?? 0)
            bytes.append(integer: UInt32(clamping: attempt))
            var attributes = Attributes()
            attributes[integer: "outcome"] = outcome.map { Int($0.kind) }
            attributes[text: "end"] = end.map { "\($0)" }
            attributes.write(to: &bytes)
        }
    }

    /// A line for the user, on the client's error output and in the log.
    func note(_ text: String) {
        log.write(text)
        pass(Array("swiftlet: \(text)\n".utf8), of: nil, .errors)
    }

    /// Passes on what was printed. More than a megabyte the client has not consumed: nothing more is read until it has.
    func pass(_ bytes: [UInt8], of task: TaskID?, _ stream: OutputReader.Stream) {
        guard !client.link.isClosed else { return }
        client.link.send(.output, id: task?.rawValue ?? 0, flags: stream.rawValue) { $0.append(contentsOf: bytes) }
        outputInFlight += bytes.count
        if outputInFlight > 1 << 20 { setOutputPaused(true) }
    }

    func outputAcknowledged(_ count: Int) {
        outputInFlight = max(0, outputInFlight - count)
        if outputInFlight < 1 << 19 { setOutputPaused(false) }
    }

    func setOutputPaused(_ paused: Bool) {
        guard paused != outputIsPaused else { return }
        outputIsPaused = paused
        for worker in workers.values { worker.outputs.forEach { $0.setPaused(paused) } }
        for output in jobOutputs.values.joined() { output.setPaused(paused) }
    }

    func explain(_ task: TaskID) {
        let text =
            callStore?.calls.explain(task) ?? scheduler?.explain(task, at: Instant(nanoseconds: sl_monotonic_ns()))
            ?? "the engine is not configured"
        let jobs = text.hasPrefix("ready") ? agentJobs?.words ?? "" : ""
        client.link.send(.explanation, id: task.rawValue) { $0.append(contentsOf: (text + jobs).utf8) }
    }

    func sendStatus(_ number: UInt64) {
        guard let counts = scheduler?.counts else { return }
        var attributes = Attributes()
        attributes[integer: "waiting"] = counts.waiting
        attributes[integer: "ready"] = counts.ready
        attributes[integer: "running"] = counts.running
        attributes[integer: "ended"] = counts.ended
        attributes[integer: "workers"] = counts.workers
        attributes[integer: "workers_busy"] = counts.busyWorkers
        attributes[integer: "cores_used"] = counts.coresUsed
        attributes[integer: "cores"] = configuration?.maxCores
        attributes[integer: "memory_bytes"] = Int(clamping: inlineBytes + segments.memoryBytes)
        attributes[integer: "segments"] = segments.count
        attributes[list: "worker_pids"] = workers.values.map { "\($0.process)" }
        client.link.send(.statusIs, id: number) { attributes.write(to: &$0) }
    }
}
