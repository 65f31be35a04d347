// SPDX-License-Identifier: BSD-3-Clause
import CSwiftlet
import SwiftletCluster
import SwiftletFlux
import SwiftletLaunch
import SwiftletModel
import SwiftletTransport
import SwiftletWire

/// Calls as jobs of a Flux instance. Flux tells of every change by itself: nothing is asked for twice.
final class FluxJobSystem: JobSystem {
    let limits: JobLimits
    var onChange: ([JobID: JobStatus]) -> Void = { _ in }

    private unowned let engine: Engine
    private let instance: FluxInstance
    private let jobs: FluxCallJobs
    private var isOwned = false
    /// What has to wait until the instance is ready.
    private var early: [() -> Void]? = []
    private var known: [JobID: FluxJob] = [:]
    private let runner: CommandRunner
    private let uri: String?

    /// - Throws: `FluxFault` where there is no instance.
    init(engine: Engine, configuration: EngineConfiguration, attributes: FluxClusterSettings) throws(FluxFault) {
        self.engine = engine
        runner = CommandRunner(engine: engine)
        uri = attributes.uri
        jobs = FluxCallJobs(
            environment: configuration.environment, directory: configuration.directory, pmi: attributes.pmi)
        limits = JobLimits(
            system: "flux", arraySize: 1, queryInterval: nil, visibleWithin: configuration.visibleWithin ?? 90_000_000_000,
            gathering: 0)
        instance = try FluxInstance(socket: try FluxAddress.socketPath(attributes.uri), loop: engine.loop)
        instance.onReady = { [unowned self] in ready($0) }
        instance.onLost = { [unowned engine] in engine.fail("the Flux instance is lost: \($0)") }
        if attributes.submitsThroughClient {
            instance.submitter = { [unowned engine] in engine.submitThroughClient($0, $1, $2) }
        }
    }

    private func ready(_ facts: FluxFacts) {
        isOwned = facts.isOwned
        let waiting = early ?? []
        early = nil
        for action in waiting { action() }
    }

    private func whenReady(_ action: @escaping () -> Void) {
        if early == nil { action() } else { early?.append(action) }
    }

    // MARK: - JobSystem

    func submit(_ batch: JobBatch, answer: @escaping (Result<[JobID], JobRefusal>) -> Void) {
        guard !batch.calls.isEmpty else { return answer(.success([])) }
        whenReady { [unowned self] in
            let answers = JobAnswers(count: batch.calls.count) { [unowned self] result, taken in
                // One job for each call, or none at all.
                if case .failure = result { cancel(taken) }
                answer(result)
            }
            for (index, call) in batch.calls.enumerated() {
                if batch.hasTemplate {
                    submitScript(call, batch) { answers.put($0, at: index) }
                } else {
                    submitJob(call, batch) { answers.put($0, at: index) }
                }
            }
        }
    }

    private func submitJob(_ call: JobCall, _ batch: JobBatch, _ answer: @escaping (Result<JobID, JobRefusal>) -> Void) {
        let spec = jobs.spec(call, batch.directives, after: batch.dependencies)
        let urgency = FluxUrgency.of(priority: batch.directives[integer: "priority"] ?? 0, isOwned: isOwned)
        let job = instance.submit(spec, urgency: urgency)
        job.onAccepted = { [unowned self, unowned job] id in
            engine.log.write("call \(call.key) is Flux job \(id)")
            answer(.success(adopt(job, id)))
        }
        job.onEnd = { ending in
            switch ending {
            case .refused(let fault): answer(.failure(JobRefusal(reason: "Flux refuses its job: \(fault)")))
            case .lost(let fault): answer(.failure(JobRefusal(reason: "Flux is lost: \(fault)", isTemporary: true)))
            case .ended: break  // it had been accepted, and that took this handler's place
            }
        }
    }

    /// A script of the user's, as an instance of its own: by the `flux` command, which reads the directives and signs.
    private func submitScript(_ call: JobCall, _ batch: JobBatch, _ answer: @escaping (Result<JobID, JobRefusal>) -> Void) {
        let script = jobs.script(call, batch.directives, after: batch.dependencies)
        engine.render(script.variables, request: batch.request) { [unowned self] rendered in
            switch rendered {
            case .failure(let refusal): answer(.failure(refusal))
            case .success(let text):
                runner.run(script.submission, environment: jobs.commandEnvironment(uri), input: Array(text.utf8)) {
                    [unowned self] result in
                    let said = result.errors.split(separator: "\n").joined(separator: "\n")
                    guard result.succeeded, let id = FluxJobID(result.output.filter { !$0.isWhitespace }) else {
                        return answer(
                            .failure(JobRefusal(reason: "flux batch refused the job: \(said.isEmpty ? "\(result.end)" : said)")))
                    }
                    engine.log.write("call \(call.key) is Flux job \(id), a script")
                    answer(.success(adopt(instance.watch(id), id)))
                }
            }
        }
    }

    func describe(_ batch: JobBatch, answer: @escaping (String) -> Void) {
        guard batch.hasTemplate, let call = batch.calls.first else { return answer(batch.commandLines) }
        let script = jobs.script(call, batch.directives, after: batch.dependencies)
        engine.render(script.variables, request: batch.request) { rendered in
            switch rendered {
            case .success(let text): answer(shown(text, submittedBy: script.command))
            case .failure(let refusal): answer(refusal.reason)
            }
        }
    }

    func timesLeft(of jobs: [JobID], answer: @escaping ([JobID: Double]) -> Void) {
        var times: [JobID: Double] = [:]
        var open = jobs.count
        for job in jobs {
            instance.expiration(of: FluxJobID(Int64(bitPattern: job.number))) { expiration in
                if let expiration { times[job] = max(0, expiration - Double(sl_unix_ns()) / 1e9) }
                open -= 1
                if open == 0 { answer(times) }
            }
        }
    }

    /// From now on what becomes of a job is told.
    private func adopt(_ job: FluxJob, _ id: FluxJobID) -> JobID {
        let name = JobID(UInt64(bitPattern: id.rawValue))
        known[name] = job
        job.onEvent = { [unowned self] event in
            if event.name == "start" { onChange([name: .running]) }
        }
        job.onEnd = { [unowned self] ending in
            known[name] = nil
            ended(name, job, ending)
        }
        return name
    }

    private func ended(_ name: JobID, _ job: FluxJob, _ ending: FluxJob.Ending) {
        switch ending {
        case .ended(let end) where end.result == .completed: onChange([name: .ended(nil)])
        case .ended(let end):
            let words = "Flux job \(job.id.map { "\($0)" } ?? "") \(end)"
            guard end.didStart else { return onChange([name: end.isRefusal ? .refused(words) : .ended(words)]) }
            // What it said last is its own explanation.
            var tail: [String] = []
            instance.watchOutput(of: job) { [unowned self] output in
                switch output {
                case .text(let text, isError: true): tail = (tail + [text]).suffix(20)
                case .text: break
                case .end:
                    let said = tail.joined()
                    onChange([name: .ended(said.isEmpty ? words : "\(words); the last it said:\n\(said)")])
                }
            }
        case .lost(let fault) where fault.code != 0: onChange([name: .unknown])
        case .lost(let fault), .refused(let fault): onChange([name: .ended("\(fault)")])
        }
    }

    /// Jobs of an earlier program are watched from now on; they are told of as they are found.
    func query(_ ids: [JobID], answer: @escaping ([JobID: JobStatus]) -> Void) {
        whenReady { [unowned self] in
            answer([:])
            for id in ids where known[id] == nil {
                let number = FluxJobID(Int64(bitPattern: id.number))
                _ = adopt(instance.watch(number), number)
            }
        }
    }

    func cancel(_ ids: [JobID]) {
        whenReady { [unowned self] in
            for id in ids { instance.cancel(FluxJobID(Int64(bitPattern: id.number)), note: "its call was cancelled") }
        }
    }

    func close() {
        known = [:]
        instance.close()
    }
}
