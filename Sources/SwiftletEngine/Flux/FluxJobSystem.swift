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
    private var waiting: [() -> Void]? = []
    private var known: [JobID: FluxJob] = [:]
    /// What is said of jobs whose batch has not been answered.
    private var early: [JobID: JobStatus?] = [:]
    /// Jobs that run each other's calls.
    private var groups: [JobID: Group] = [:]
    private var whenGone: (() -> Void)?
    /// How long jobs may be there when all calls are done, in nanoseconds.
    private static let endsWithin: UInt64 = 10_000_000_000
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
            system: "flux", sharesArrays: true, foreignJobsVanish: true, queryInterval: nil, checkInterval: 100_000_000,
            visibleWithin: configuration.visibleWithin ?? 90_000_000_000)
        instance = try FluxInstance(socket: try FluxAddress.socketPath(attributes.uri), loop: engine.loop)
        instance.onReady = { [unowned self] in ready($0) }
        instance.onLost = { [unowned engine] in engine.fail("the Flux instance is lost: \($0)") }
        if attributes.submitsThroughClient {
            instance.submitter = { [unowned engine] in engine.submitThroughClient($0, $1, $2) }
        }
    }

    private func ready(_ facts: FluxFacts) {
        isOwned = facts.isOwned
        let actions = waiting ?? []
        waiting = nil
        for action in actions { action() }
    }

    private func whenReady(_ action: @escaping () -> Void) {
        if waiting == nil { action() } else { waiting?.append(action) }
    }

    // MARK: - JobSystem

    func submit(_ batch: JobBatch, answer: @escaping (Result<[JobID], JobRefusal>) -> Void) {
        guard !batch.calls.isEmpty else { return answer(.success([])) }
        let isShared = FluxCallJobs.areShared(batch)
        whenReady { [unowned self] in
            let answers = JobAnswers(count: batch.calls.count) { [unowned self] result, taken in
                // One job for each call, or none at all.
                if case .failure = result { end(taken) } else if isShared { form(taken) }
                answer(result)
                for job in taken {
                    if case let status?? = early.removeValue(forKey: job) { tell(job, status) }
                }
            }
            for (index, call) in batch.calls.enumerated() {
                if batch.hasTemplate {
                    submitScript(call, batch) { answers.put($0, at: index) }
                } else {
                    let others = isShared ? FluxCallJobs.others(index, in: batch.calls) : []
                    submitJob(call, batch, others) { answers.put($0, at: index) }
                }
            }
        }
    }

    private func form(_ jobs: [JobID]) {
        let there = jobs.filter { known[$0] != nil }
        let group = Group(Set(there), waiting: Set(there.filter { early[$0] == .some(nil) }))
        for job in there { groups[job] = group }
    }

    private func submitJob(
        _ call: JobCall, _ batch: JobBatch, _ others: [String], _ answer: @escaping (Result<JobID, JobRefusal>) -> Void
    ) {
        let spec = jobs.spec(call, batch.directives, after: batch.dependencies, others: others)
        let urgency = FluxUrgency.of(priority: batch.directives[integer: "priority"] ?? 0, isOwned: isOwned)
        let job = instance.submit(spec, urgency: urgency)
        job.onAccepted = { [unowned self, unowned job] id in
            engine.log.write("call \(call.key) is Flux job \(id)")
            answer(.success(adopt(job, id, isNew: true)))
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
                    answer(.success(adopt(instance.watch(id), id, isNew: true)))
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

    /// From now on what becomes of a job is told; of a new one, once all of its batch are there.
    private func adopt(_ job: FluxJob, _ id: FluxJobID, isNew: Bool = false) -> JobID {
        let name = JobID(UInt64(bitPattern: id.rawValue))
        known[name] = job
        if isNew { early.updateValue(nil, forKey: name) }
        job.onEvent = { [unowned self] event in
            guard event.name == "start" else { return }
            groups[name]?.waiting.remove(name)
            tell(name, .running)
        }
        job.onEnd = { [unowned self] ending in
            known[name] = nil
            groups[name]?.waiting.remove(name)
            isDone(name)
            groups[name] = nil
            ended(name, job, ending)
            if groups.isEmpty { whenGone?() }
        }
        return name
    }

    private func tell(_ job: JobID, _ status: JobStatus) {
        if early[job] == nil { onChange([job: status]) } else { early[job] = status }
    }

    private func ended(_ name: JobID, _ job: FluxJob, _ ending: FluxJob.Ending) {
        switch ending {
        case .ended(let end) where end.result == .completed: tell(name, .ended(nil))
        case .ended(let end):
            let words = "Flux job \(job.id.map { "\($0)" } ?? "") \(end)"
            guard end.didStart else { return tell(name, end.isRefusal ? .refused(words) : .ended(words)) }
            // What it said last is its own explanation.
            var tail: [String] = []
            instance.watchOutput(of: job) { [unowned self] output in
                switch output {
                case .text(let text, isError: true): tail = (tail + [text]).suffix(20)
                case .text: break
                case .end: tell(name, .ended(words.withLastWords(tail.joined())))
                }
            }
        case .lost(let fault) where fault.code != 0: tell(name, .unknown)
        case .lost(let fault), .refused(let fault): tell(name, .ended("\(fault)"))
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

    /// A job that runs may be at another one's call. It sees by itself that its own was taken back.
    func cancel(_ ids: [JobID]) {
        whenReady { [unowned self] in
            end(ids.filter { id in groups[id].map { $0.waiting.contains(id) } ?? true })
            for id in ids { isDone(id) }
        }
    }

    private func end(_ ids: [JobID], note: String = "its call was cancelled") {
        for id in ids { instance.cancel(FluxJobID(Int64(bitPattern: id.number)), note: note) }
    }

    /// When the last call of a batch is done, its jobs that have not started need not start any more.
    func isDone(_ job: JobID) {
        guard let group = groups[job], group.open.remove(job) != nil, group.open.isEmpty else { return }
        end(group.waiting.sorted { $0.number < $1.number }, note: "another job has run its call")
    }

    /// Jobs that were just taken out of the queue, or are just finding that nothing is left to do, get a moment for it: whoever
    /// has left an executor may remove its cache directory.
    func finish(then: @escaping () -> Void) {
        groups = groups.filter { $0.value.open.isEmpty }
        let timer = engine.loop.schedule(after: Self.endsWithin) { [unowned self] in whenGone?() }
        whenGone = { [unowned self] in
            whenGone = nil
            engine.loop.cancel(timer: timer)
            close()
            then()
        }
        if groups.isEmpty { whenGone?() }
    }

    func close() {
        known = [:]
        instance.close()
    }
}

/// Jobs that run each other's calls.
private final class Group {
    /// Those whose calls are not done. A job of which another one depends is in here until it has ended: it has to end well.
    var open: Set<JobID>
    /// Those that have not started.
    var waiting: Set<JobID>

    init(_ jobs: Set<JobID>, waiting: Set<JobID>) {
        open = jobs
        self.waiting = waiting
    }
}
