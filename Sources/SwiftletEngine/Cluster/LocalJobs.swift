// SPDX-License-Identifier: BSD-3-Clause
import Glibc
import SwiftletCluster
import SwiftletLaunch
import SwiftletModel
import SwiftletTransport
import SwiftletWire

/// Jobs as processes of this machine, as many at a time as there are cores for. It plays the part of a batch system where there is
/// none: when the client leaves, the engine stays until its jobs have ended.
final class LocalJobs: JobSystem {
    private struct Job {
        let call: JobCall
        let cores: Int
        /// What starts the ranks of a call on several.
        let ranks: (command: [String], variables: [String])
        var worker: WorkerID?
        var isCancelled = false
    }

    let limits: JobLimits
    var onChange: ([JobID: JobStatus]) -> Void = { _ in }

    private unowned let engine: Engine
    private let environment: [String]
    private let directory: String?
    private var jobs: [JobID: Job] = [:]
    private var queue: [JobID] = []
    private var freeCores: Int
    private let cores: Int
    private var last: UInt64 = 0

    init(engine: Engine, configuration: EngineConfiguration) {
        self.engine = engine
        environment = configuration.environment
        directory = configuration.directory
        cores = configuration.maxCores ?? 1
        freeCores = cores
        limits = JobLimits(
            system: "local", hasDependencies: false, arraySize: 1, outlivesClient: false, queryInterval: nil,
            checkInterval: 250_000_000, visibleWithin: 0, gathering: 0)
    }

    func submit(_ batch: JobBatch, answer: @escaping (Result<[JobID], JobRefusal>) -> Void) {
        let wanted = (batch.directives[integer: "cores"] ?? 1) * (batch.directives[integer: "threads_per_core"] ?? 1)
        let ranks = ranks(batch.directives)
        let ids = batch.calls.map { call in
            last += 1
            // What asks for more than there is gets all of it.
            jobs[JobID(last)] = Job(call: call, cores: min(wanted, cores), ranks: ranks)
            return JobID(last)
        }
        queue += ids
        answer(.success(ids))
        startWhatFits()
    }

    /// How the ranks of a call are started, as the client says in REQUEST; empty for a call on one.
    private func ranks(_ directives: Attributes) -> (command: [String], variables: [String]) {
        guard let ranks = directives[integer: "cores"], ranks > 1, let program = directives[text: "mpi_program"],
            let kind = directives[text: "mpi_kind"].flatMap(MPILauncher.Kind.init(rawValue:))
        else { return ([], []) }
        let launcher = MPILauncher(kind: kind, program: program, worker: [])
        let isCrowded = ranks > cores || directives[integer: "oversubscribe"] == 1
        return (
            ["--step"] + launcher.command(ranks: ranks, oversubscribed: isCrowded), launcher.variables(isRoot: geteuid() == 0)
        )
    }

    func query(_ ids: [JobID], answer: @escaping ([JobID: JobStatus]) -> Void) {
        answer(Dictionary(uniqueKeysWithValues: ids.map { ($0, status(of: $0)) }))
    }

    private func status(of id: JobID) -> JobStatus {
        guard let job = jobs[id] else { return .unknown }
        return job.worker == nil ? .waiting(nil) : .running
    }

    func cancel(_ ids: [JobID]) {
        for id in ids {
            guard let job = jobs[id] else { continue }
            if let worker = job.worker {
                jobs[id]!.isCancelled = true
                engine.guardian.signal(worker, SIGTERM)
                engine.loop.schedule(after: Grace.terminate) { [unowned self] in
                    if jobs[id] != nil { engine.guardian.signal(worker, SIGKILL) }
                }
            } else {
                jobs[id] = nil
                queue.removeAll { $0 == id }
            }
        }
    }

    func close() {}

    private func startWhatFits() {
        while let id = queue.first, let job = jobs[id], job.cores <= freeCores {
            queue.removeFirst()
            start(id, job)
        }
    }

    private func start(_ id: JobID, _ job: Job) {
        // Away from the numbers of workers and of fork servers.
        let worker = WorkerID(UInt32(truncatingIfNeeded: 1 << 30 + id.number))
        freeCores -= job.cores
        jobs[id]!.worker = worker
        do {
            let (ours, theirs) = try makeSocketPair()
            closeDescriptor(ours)  // a job needs no engine
            let (outputRead, outputWrite) = try makePipe()
            let (errorRead, errorWrite) = try makePipe()
            let outputs = [
                OutputReader(descriptor: outputRead, keepsTail: false, loop: engine.loop),
                OutputReader(descriptor: errorRead, keepsTail: true, loop: engine.loop),
            ]
            for (reader, stream) in zip(outputs, [OutputReader.Stream.output, .errors]) {
                reader.onOutput = { [unowned self] in engine.pass($0, of: job.call.tasks.first, stream) }
                if engine.outputIsPaused { reader.setPaused(true) }
            }
            engine.jobOutputs[worker] = outputs
            engine.jobProcesses[worker] = { [unowned self] end in
                if let end { ended(id, end) } else { onChange([id: .running]) }
            }
            engine.guardian.spawn(
                worker, arguments: job.call.command + job.ranks.command, environment: environment + job.ranks.variables,
                directory: directory, socket: theirs, output: outputWrite, errors: errorWrite)
        } catch {
            ended(id, .failed("\(error)"))
        }
    }

    private func ended(_ id: JobID, _ end: ProcessEnd) {
        guard let job = jobs.removeValue(forKey: id), let worker = job.worker else { return }
        freeCores += job.cores
        let outputs = engine.jobOutputs.removeValue(forKey: worker) ?? []
        for output in outputs { output.finish() }
        var reason: String?
        if end != .exited(status: 0) {
            let tail = String(decoding: outputs.last?.tail ?? [], as: UTF8.self)
            reason = "its process \(end)".withLastWords(tail)
        }
        if !job.isCancelled { onChange([id: .ended(reason)]) }
        startWhatFits()
    }
}
