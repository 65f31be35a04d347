// SPDX-License-Identifier: BSD-3-Clause
import CSwiftlet
import Glibc
import SwiftletCluster
import SwiftletLaunch
import SwiftletModel
import SwiftletTransport
import SwiftletWire

/// Slurm as a system of jobs. When it is asked what is decided by `SlurmControl`; here its actions are carried out.
final class SlurmJobs: JobSystem {
    /// Has the client render a user's template for a batch; answers with the script, or with why there is none.
    typealias Render = (SlurmBatch, JobBatch, @escaping (Result<String, JobRefusal>) -> Void) -> Void

    private struct Submission {
        let batch: SlurmBatch
        let arguments: [String]
        let script: String
        let started: UInt64
        let answer: (Result<[JobID], JobRefusal>) -> Void
    }

    private(set) var limits = JobLimits(system: "slurm", arraySize: 1000, sharesArrays: true, checkInterval: 200_000_000)
    var onChange: ([JobID: JobStatus]) -> Void = { _ in }
    var onLimits: (JobLimits) -> Void = { _ in }

    private let runner: CommandRunner
    private let loop: EventLoop
    private let log: EngineLog
    private let environment: [String]
    /// The command that shares one answer between all engines of a node.
    private let sharing: [String]
    private let user: String?
    private let render: Render
    /// A line for the user.
    private let note: (String) -> Void
    /// Arrays and jobs of which the user knows that they may never start.
    private var saidToWait: Set<UInt32> = []
    /// Slurm does not answer, and the user knows.
    private var isSilent = false
    private var control = SlurmControl()
    private var submissions: [SlurmControl.Ticket: Submission] = [:]
    private var lastTicket: SlurmControl.Ticket = 0
    private var watched: Set<SlurmJobID> = []
    /// Where what a job prints can be read, for those that may still fail.
    private var logs: [SlurmJobID: String] = [:]
    private var timer: UInt64 = 0
    /// How many calls of an array are not done.
    private var openElements: [UInt64: Int] = [:]
    /// Arrays whose calls are all done, and since when: elements of them may be just starting or ending.
    private var emptied: [UInt32: UInt64] = [:]
    /// What the site has said of itself; what is submitted before waits for it.
    private var site: SlurmLimits?
    private var waiting: [() -> Void] = []

    /// This program's file.
    private static let program: String = {
        var path = [CChar](repeating: 0, count: Int(PATH_MAX))
        let length = readlink("/proc/self/exe", &path, path.count - 1)
        return String(decoding: path.prefix(max(0, length)).map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }()
    /// Bytes of what a job printed that go into the reason of its failure.
    private static let tailSize = 2000
    /// How old an answer to the same question may be that another engine got, in milliseconds.
    private static let sharedFor = 900
    /// How long the elements of an array may be there when its calls are done, in nanoseconds.
    private static let endsWithin: UInt64 = 10_000_000_000
    /// After how long without an answer a batch is given back, so that leaving is possible while the controller is away.
    private static let patience: UInt64 = 60_000_000_000

    init(engine: Engine, configuration: EngineConfiguration) {
        runner = CommandRunner(engine: engine)
        loop = engine.loop
        log = engine.log
        environment = configuration.environment
        sharing = configuration.sharing ?? [Self.program, "shared"]
        user = configuration.user
        note = { [unowned engine] in engine.note($0) }
        limits.areKnown = false
        if let time = configuration.visibleWithin { limits.visibleWithin = time }
        render = { [unowned engine] batch, jobs, answer in
            engine.render(batch.variables, request: jobs.request, answer: answer)
        }
        askForLimits()
    }

    // MARK: JobSystem

    func submit(_ jobs: JobBatch, answer: @escaping (Result<[JobID], JobRefusal>) -> Void) {
        guard site != nil else {
            waiting.append { [unowned self] in submit(jobs, answer: answer) }
            return
        }
        prepare(jobs) { [weak self] batch, prepared in
            switch prepared {
            case .success(let script): self?.start(batch, options(of: batch, jobs), script: script, answer)
            case .failure(let refusal): answer(.failure(refusal))
            }
        }
    }

    func describe(_ jobs: JobBatch, answer: @escaping (String) -> Void) {
        guard site != nil else {
            waiting.append { [unowned self] in describe(jobs, answer: answer) }
            return
        }
        prepare(jobs) { batch, prepared in
            switch prepared {
            case .success(let script):
                answer(shown(script, submittedBy: SlurmCommands.submit(options: options(of: batch, jobs))))
            case .failure(let refusal): answer(refusal.reason)
            }
        }
    }

    /// The batch as Slurm gets it, and its script.
    private func prepare(_ jobs: JobBatch, then: @escaping (SlurmBatch, Result<String, JobRefusal>) -> Void) {
        var batch = SlurmBatch(jobs)
        // Where the site has no way for ranks to find each other, the one of the client's MPI library is asked for.
        if batch.resources.mpi == nil && site?.mpi == nil { batch.resources.mpi = jobs.directives[text: "mpi_library"] }
        guard jobs.hasTemplate else { return then(batch, .success(batch.script)) }
        render(batch, jobs) { [batch] in then(batch, $0) }
    }

    private func start(
        _ batch: SlurmBatch, _ arguments: [String], script: String, _ answer: @escaping (Result<[JobID], JobRefusal>) -> Void
    ) {
        lastTicket += 1
        submissions[lastTicket] = Submission(
            batch: batch, arguments: arguments, script: script, started: sl_monotonic_ns(), answer: answer)
        tell(.submit(lastTicket))
    }

    func query(_ jobs: [JobID], answer: @escaping ([JobID: JobStatus]) -> Void) {
        let wanted = Set(jobs.map(SlurmJobID.init))
        let old = watched.subtracting(wanted), new = wanted.subtracting(watched)
        watched = wanted
        for job in old { logs[job] = nil }
        if !old.isEmpty { tell(.unwatch(Array(old))) }
        if !new.isEmpty { tell(.watch(Array(new))) }
        // Changes are told when they are known: by one question for all jobs, asked at its own pace.
        answer([:])
    }

    /// When the last call of an array is done, its elements that have not started need not start any more.
    func isDone(_ job: JobID) {
        guard let left = openElements[job.number] else { return }
        openElements[job.number] = left > 1 ? left - 1 : nil
        guard left == 1 else { return }
        // Those that run are just ending. If this fails, those that have not started find nothing to do.
        let array = SlurmJobID(job).job
        let now = sl_monotonic_ns()
        emptied = emptied.filter { now - $0.value < Self.endsWithin }
        emptied[array] = now
        let command = SlurmCommands.cancelWaiting(array)
        runner.run(command, environment: SlurmCommands.environment(environment)) { _ in }
    }

    func timesLeft(of jobs: [JobID], answer: @escaping ([JobID: Double]) -> Void) {
        let command = SlurmCommands.ends(of: jobs.map(SlurmJobID.init))
        runner.run(command, environment: SlurmCommands.environmentOfEnds(environment), limit: 20_000_000_000) { result in
            let (ends, now) = (SlurmAnswers.ends(result.output), time(nil))
            answer(Dictionary(uniqueKeysWithValues: ends.map { (JobID($0.key), Double($0.value - now)) }))
        }
    }

    func cancel(_ jobs: [JobID]) { tell(.cancel(jobs.map(SlurmJobID.init))) }

    func close() { loop.cancel(timer: timer) }

    /// A scancel that is under way gets its time, and so do elements that found nothing to do any more: whoever has left an
    /// executor may remove its cache directory.
    func finish(then: @escaping () -> Void) {
        let begin = sl_monotonic_ns()
        let arrays = emptied.filter { begin - $0.value < Self.endsWithin }.keys.sorted()
        close()
        whenIdle { [unowned self] in
            if arrays.isEmpty { then() } else { waitUntilGone(arrays, until: begin + Self.endsWithin, then: then) }
        }
    }

    private func whenIdle(_ then: @escaping () -> Void) {
        guard !runner.isIdle else { return then() }
        runner.onIdle = { [unowned self] in
            runner.onIdle = {}
            then()
        }
    }

    private func waitUntilGone(_ arrays: [UInt32], until end: UInt64, then: @escaping () -> Void) {
        let command = SlurmCommands.present(arrays)
        runner.run(command, environment: SlurmCommands.environment(environment), limit: Self.endsWithin) { [unowned self] in
            guard SlurmAnswers.mayBePresent($0), sl_monotonic_ns() < end else { return then() }
            _ = loop.schedule(after: 50_000_000) { [unowned self] in waitUntilGone(arrays, until: end, then: then) }
        }
    }

    // MARK: Actions

    private func tell(_ event: SlurmControl.Event) {
        for action in control.handle(event, at: Instant(nanoseconds: sl_monotonic_ns())) { carryOut(action) }
    }

    private func carryOut(_ action: SlurmControl.Action) {
        switch action {
        case .submit(let command, let ticket):
            guard let submission = submissions[ticket] else { return }
            run(
                SlurmCommands.submit(options: submission.arguments), command, input: Array(submission.script.utf8),
                setting: submission.batch.resources.batchOptions)
        case .run(let command, let question): run(question, command)
        case .submitted(let ticket, let job): submitted(ticket, job)
        case .refused(let ticket, let words):
            end(ticket, .failure(JobRefusal(reason: "sbatch refused the job: \(words)")))
        case .held(let ticket, let words): end(ticket, .failure(JobRefusal(reason: words, isForLackOfRoom: true)))
        case .reported(let reports):
            isSilent = false
            reported(reports)
        case .forgotten(let jobs): onChange(Dictionary(uniqueKeysWithValues: jobs.map { (JobID($0), .unknown) }))
        case .unreachable(let words):
            sayThatNobodyAnswers(words)
            giveBackWhatWaitsTooLong(words)
        case .wake(let moment):
            loop.cancel(timer: timer)
            timer = loop.schedule(at: moment.nanoseconds) { [unowned self] in tell(.timePassed) }
        }
    }

    private func run(_ question: SlurmQuestion, _ command: SlurmControl.CommandID) {
        switch question {
        case .queue:
            run(sharing + ["\(Self.sharedFor)"] + SlurmCommands.queue(user: geteuid()), command)
        case .history(let jobs): run(SlurmCommands.history(jobs), command)
        case .cancel(let jobs): run(SlurmCommands.cancel(jobs), command)
        }
    }

    private func run(
        _ arguments: [String], _ command: SlurmControl.CommandID, input: [UInt8] = [],
        setting options: [SlurmResources.Option] = []
    ) {
        runner.run(arguments, environment: SlurmCommands.environment(environment, setting: options), input: input) {
            [weak self] result in
            self?.tell(.commandEnded(command, result))
        }
    }

    private func submitted(_ ticket: SlurmControl.Ticket, _ number: UInt32) {
        guard let submission = submissions[ticket] else { return }
        let batch = submission.batch
        let jobs = batch.isArray ? batch.entries.indices.map { SlurmJobID(number, element: UInt32($0)) } : [SlurmJobID(number)]
        log.write("Slurm job \(number): \(batch.name), \(jobs.count) calls")
        for job in jobs { logs[job] = batch.log(of: job) }
        if batch.isArray { openElements[UInt64(number)] = jobs.count }
        watched.formUnion(jobs)
        tell(.watch(jobs))
        end(ticket, .success(jobs.map(JobID.init)))
    }

    private func end(_ ticket: SlurmControl.Ticket, _ result: Result<[JobID], JobRefusal>) {
        if case .failure = result { tell(.withdraw(ticket)) }
        submissions.removeValue(forKey: ticket)?.answer(result)
    }

    /// Once for each time that it falls silent.
    private func sayThatNobodyAnswers(_ words: String) {
        log.write("Slurm does not answer: \(words)")
        guard !isSilent else { return }
        isSilent = true
        note("Slurm does not answer; it is asked again until it does, and no call is lost: \(words)")
    }

    private func giveBackWhatWaitsTooLong(_ words: String) {
        let now = sl_monotonic_ns()
        for (ticket, submission) in submissions where now - submission.started > Self.patience {
            end(ticket, .failure(JobRefusal(reason: words, isTemporary: true)))
        }
    }

    // MARK: What becomes of jobs

    private func reported(_ reports: [SlurmJobReport]) {
        var known: [JobID: JobStatus] = [:]
        for report in reports {
            if report.mayNeverStart, saidToWait.insert(report.id.job).inserted {
                note(
                    "Slurm job \(report.id.job) waits for \(report.reason), which may never end: see `scontrol show job \(report.id.job)`"
                )
            }
            if report.waitsForTheDead {
                known[JobID(report.id)] = .ended("a job that it depends on has failed (DependencyNeverSatisfied)")
                tell(.cancel([report.id]))
            } else if report.state.hasEnded && !report.state.isComplete {
                tellWhyItEnded(report)
            } else {
                known[JobID(report.id)] =
                    report.state.hasEnded ? .ended(nil) : report.state.isPending ? .waiting(report.reason) : .running
            }
        }
        if !known.isEmpty { onChange(known) }
    }

    /// With the last that the job said, where that can be read: slurmstepd writes its reasons there, too.
    private func tellWhyItEnded(_ report: SlurmJobReport) {
        log.write(report.account)
        guard let path = logs.removeValue(forKey: report.id) else { return ended(report, tail: "") }
        runner.run(["tail", "--bytes=\(Self.tailSize)", "--", path], environment: environment) { [weak self] result in
            self?.ended(report, tail: result.output)
        }
    }

    private func ended(_ report: SlurmJobReport, tail: String) {
        let said = tail.split(separator: "\n").joined(separator: "\n")
        onChange([JobID(report.id): .ended(report.account.withLastWords(said))])
    }

    // MARK: Limits

    private func askForLimits() {
        let environment = SlurmCommands.environment(environment)
        runner.run(SlurmCommands.configuration, environment: environment, limit: 20_000_000_000) { [weak self] configuration in
            guard let self else { return }
            guard configuration.succeeded else {
                sayThatNobodyAnswers(configuration.errors.split(separator: "\n").joined(separator: "\n"))
                return learn(SlurmLimits())
            }
            guard let user else { return learn(SlurmLimits(configuration: configuration.output, associations: "")) }
            runner.run(SlurmCommands.limits(user: user), environment: environment, limit: 20_000_000_000) { [weak self] in
                self?.learn(SlurmLimits(configuration: configuration.output, associations: $0.succeeded ? $0.output : ""))
            }
        }
    }

    private func learn(_ site: SlurmLimits) {
        self.site = site
        limits.areKnown = true
        limits.arraySize = min(site.arraySize, Self.largestArray)
        limits.jobs = site.submittedJobs ?? .max
        log.write("Slurm takes arrays of \(site.arraySize) and \(site.submittedJobs.map(String.init) ?? "any number of") jobs")
        onLimits(limits)
        let submissions = waiting
        waiting = []
        for submit in submissions { submit() }
    }

    /// Every element's shell reads the names of all: a script should stay below a megabyte.
    private static let largestArray = 5000
}

/// Options on sbatch's command line: what holds whatever a user's script says, and what the user wants there.
private func options(of batch: SlurmBatch, _ jobs: JobBatch) -> [String] {
    let arguments = jobs.directives[list: "slurm_cmd_args"] ?? []
    return jobs.hasTemplate ? batch.overrides + arguments : arguments
}

extension JobID {
    init(_ job: SlurmJobID) { self.init(UInt64(job.job), index: job.element.map { Int($0) }) }
}

extension SlurmJobID {
    init(_ job: JobID) { self.init(UInt32(truncatingIfNeeded: job.number), element: job.index.map { UInt32($0) }) }
}
