// SPDX-License-Identifier: BSD-3-Clause
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

    /// - Throws: `FluxFault` where there is no instance.
    init(engine: Engine, configuration: EngineConfiguration, attributes: FluxClusterSettings) throws(FluxFault) {
        self.engine = engine
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
        guard let call = batch.calls.first else { return answer(.success([])) }
        whenReady { [unowned self] in
            let spec = jobs.spec(call, batch.directives, after: batch.dependencies)
            let urgency = FluxUrgency.of(priority: batch.directives[integer: "priority"] ?? 0, isOwned: isOwned)
            let job = instance.submit(spec, urgency: urgency)
            job.onAccepted = { [unowned self, unowned job] id in
                engine.log.write("call \(call.key) is Flux job \(id)")
                answer(.success([adopt(job, id)]))
            }
            job.onEnd = { ending in
                switch ending {
                case .refused(let fault): answer(.failure(JobRefusal(reason: "Flux refuses its job: \(fault)")))
                case .lost(let fault): answer(.failure(JobRefusal(reason: "Flux is lost: \(fault)", isTemporary: true)))
                case .ended: break  // it had been accepted, and that took this handler's place
                }
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
            guard end.didStart else { return onChange([name: .ended("Flux job \(job.id.map { "\($0)" } ?? "") \(end)")]) }
            // What it said last is its own explanation.
            var tail: [String] = []
            instance.watchOutput(of: job) { [unowned self] output in
                switch output {
                case .text(let text, isError: true): tail = (tail + [text]).suffix(20)
                case .text: break
                case .end:
                    let said = tail.joined()
                    let reason = "Flux job \(job.id.map { "\($0)" } ?? "") \(end)"
                    onChange([name: .ended(said.isEmpty ? reason : "\(reason); the last it said:\n\(said)")])
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

/// What CONFIGURE says of the instance that runs jobs.
struct FluxClusterSettings: Sendable {
    /// The instance's local URI; nil: the machine's own.
    var uri: String?
    /// Jobs are submitted by the client, which can have them signed.
    var submitsThroughClient: Bool
    /// How MPI ranks find each other; nil: Flux's default.
    var pmi: String?

    init(_ attributes: Attributes) {
        uri = attributes[text: "flux_uri"]
        submitsThroughClient = attributes[integer: "flux_submit"] == 1
        pmi = attributes[text: "flux_pmi"]
    }
}

/// A call's priority as Flux's urgency.
enum FluxUrgency {
    /// 16 is usual, 1 to 31 can be reached (16 by guests of an instance).
    static func of(priority: Int, isOwned: Bool) -> Int { min(max(16 + min(max(priority, -15), 15), 1), isOwned ? 31 : 16) }
}
