// SPDX-License-Identifier: BSD-3-Clause
import Glibc
public import SwiftletFlux
public import SwiftletTransport

/// What an instance of Flux is, once it is ready for work.
public struct FluxFacts: Hashable, Sendable {
    /// All of it: what is down or taken included.
    public var resources: FluxResources
    /// Cores that nobody held, and that were not down, at that moment.
    public var freeCores: Int
    /// It belongs to this user: jobs need no signature, and all events are pushed.
    public var isOwned: Bool
    public var version: String
}

/// An instance of Flux: its jobs, submitted and watched over one connection. Nothing polls: events are pushed, all jobs' in one
/// stream where the instance is ours, else in one stream for each job.
///
/// Everything is used on the loop's thread, and everything that was promised an end gets one: when the connection is lost all
/// jobs end as lost.
public final class FluxInstance {
    /// Submits a jobspec (JSON) by another way than our own signature: the `flux` command, or a Python object of the user's.
    public typealias Submitter = (_ jobspec: String, _ urgency: Int, _ answer: @escaping (Result<FluxJobID, FluxFault>) -> Void)
        -> Void

    public var onReady: (FluxFacts) -> Void = { _ in }
    /// Called once, after every job has ended as lost.
    public var onLost: (FluxFault) -> Void = { _ in }
    /// Used instead of our own submission where set.
    public var submitter: Submitter?

    private let connection: FluxConnection
    private let loop: EventLoop
    private let userID = getuid()
    private var isOwned = false
    private var isWatchingAll = false
    private var jobs: [FluxJobID: FluxJob] = [:]
    /// Submitted, without an id yet; what the journal says of unknown jobs meanwhile may be about one of them.
    private var submitting: [ObjectIdentifier: FluxJob] = [:]
    private var unclaimed: [FluxJobID: [FluxEvent]] = [:]
    private var lost: FluxFault?

    /// - Throws: `FluxFault` where nobody listens on the socket.
    public init(socket path: String, loop: EventLoop) throws(FluxFault) {
        self.loop = loop
        connection = try FluxConnection(path: path, loop: loop)
        connection.onClose = { [unowned self] in lose($0) }
        waitUntilRunning()
    }

    public func close() {
        connection.close()
        jobs = [:]
        submitting = [:]
    }

    // MARK: - Getting ready

    /// Asks; when the connection is lost nothing is answered, as `lose` then ends everything.
    private func inquire(_ request: FluxRequest, answer: @escaping (FluxConnection.Answer) -> Void) {
        connection.ask(request) { [unowned self] in if !connection.isClosed { answer($0) } }
    }

    private func ask(_ request: FluxRequest, _ action: @escaping (JSON) -> Void) {
        inquire(request) { [unowned self] answer in
            switch answer {
            case .payload(let json): action(json)
            case .fault(let fault): lose(FluxFault(code: fault.code, "\(request.topic): \(fault.description)"))
            case .end: break
            }
        }
    }

    private func waitUntilRunning() {
        ask(.untilRunning) { [unowned self] _ in
            ask(.attribute("security.owner")) { [unowned self] owner in
                isOwned = owner["value"]?.string.flatMap { UInt32($0) } == userID
                ask(.attribute("version")) { [unowned self] version in
                    watch(version: version["value"]?.string ?? "of an unknown version")
                }
            }
        }
    }

    /// The journal first, so that no event of ours is missed.
    private func watch(version: String) {
        guard isOwned else { return readResources(version: version) }
        inquire(.journal) { [unowned self] answer in
            switch answer {
            case .payload(let json):
                if !isWatchingAll {
                    isWatchingAll = true
                    readResources(version: version)
                }
                heard(json)
            case .end: lose(FluxFault("the instance ends"))
            case .fault(let fault): lose(FluxFault(code: fault.code, "its events are not to be had: \(fault.description)"))
            }
        }
    }

    private func readResources(version: String) {
        ask(.resourceStatus) { [unowned self] status in
            do throws(FluxProtocolError) {
                let all = try FluxResources(status["all"] ?? .null)
                let taken = try [status["allocated"], status["down"]].map { (json) throws(FluxProtocolError) in
                    try FluxResources(json ?? .null).coreCount
                }
                onReady(
                    FluxFacts(
                        resources: all, freeCores: max(0, all.coreCount - taken.reduce(0, +)), isOwned: isOwned, version: version)
                )
            } catch {
                lose(FluxFault("its resources cannot be read: \(error)"))
            }
        }
    }

    // MARK: - Jobs

    /// Submits a job; the returned object tells what becomes of it, never before this call has returned.
    /// - Parameter urgency: 0 (held) to 31 (first); 16 is usual, and the most a guest of an instance may ask for.
    public func submit(_ spec: Jobspec, urgency: Int = 16) -> FluxJob {
        let job = FluxJob()
        if let lost {
            loop.afterThisTurn { job.end(.lost(lost)) }
            return job
        }
        submitting[ObjectIdentifier(job)] = job
        if let submitter {
            submitter(spec.json.text, urgency) { [weak self] in self?.answered(job, $0) }
        } else if isOwned {
            let signed = OwnerSignature.wrap(spec.json, userID: userID)
            inquire(.submit(signed: signed, urgency: urgency)) { [unowned self] answer in
                switch answer {
                case .payload(let json):
                    answered(
                        job,
                        json["id"]?.integer.map { .success(FluxJobID($0)) }
                            ?? .failure(FluxFault("Flux took the job, and told no id")))
                case .fault(let fault): answered(job, .failure(fault))
                case .end: break
                }
            }
        } else {
            loop.afterThisTurn { [weak self] in
                self?.answered(job, .failure(FluxFault(code: 1, "this instance belongs to another user and wants signed jobs")))
            }
        }
        return job
    }

    /// A job that somebody submitted earlier; its events come from the beginning. It ends as lost where Flux does not know it.
    public func watch(_ id: FluxJobID) -> FluxJob {
        let job = FluxJob()
        job.id = id
        if let lost {
            loop.afterThisTurn { job.end(.lost(lost)) }
        } else {
            follow(job, id)
        }
        return job
    }

    /// Ends a job, with a note for its record. Pending jobs vanish at once, running ones get SIGTERM, five seconds later SIGKILL.
    public func cancel(_ job: FluxJob, note: String) {
        guard job.ending == nil, job.pendingCancel == nil else { return }
        job.pendingCancel = note
        if let id = job.id { cancel(id, note: note) }
    }

    /// The same for a job of which only the id is known.
    public func cancel(_ id: FluxJobID, note: String) { connection.ask(.cancel(id, note: note)) { _ in } }

    /// Sends a signal to every task of a running job.
    public func signal(_ job: FluxJob, _ signal: Int32) {
        if let id = job.id, job.ending == nil { connection.ask(.signal(id, signal)) { _ in } }
    }

    public func setUrgency(_ job: FluxJob, _ urgency: Int) {
        if let id = job.id, job.ending == nil { connection.ask(.urgency(id, urgency)) { _ in } }
    }

    /// When the time of a running job is over, in seconds since 1970; nil where it has no limit, or that is not to be had.
    public func expiration(of job: FluxJobID, _ answer: @escaping (Double?) -> Void) {
        guard lost == nil else { return loop.afterThisTurn { answer(nil) } }
        inquire(.lookUp(job, keys: ["R"])) { reply in
            guard case .payload(let json) = reply, let text = json["R"]?.string, let set = try? JSON(parsing: text),
                let time = set["execution"]?["expiration"]?.number, time > 0
            else { return answer(nil) }
            answer(time)
        }
    }

    /// What a job prints.
    public enum Output {
        case text(String, isError: Bool)
        /// Nothing more comes.
        case end
    }

    /// Passes on what a running job prints, from the beginning, until it ends.
    public func watchOutput(of job: FluxJob, _ action: @escaping (Output) -> Void) {
        guard let id = job.id, lost == nil else { return loop.afterThisTurn { action(.end) } }
        inquire(.output(of: id, isOver: job.ending != nil)) { answer in
            guard case .payload(let json) = answer else { return action(.end) }
            guard let line = json["event"]?.string, let parsed = try? JSON(parsing: line), let event = FluxEvent(parsed),
                event.name == "data", let text = event.text
            else { return }
            action(.text(text, isError: event.context["stream"]?.string == "stderr"))
        }
    }

    private func answered(_ job: FluxJob, _ answer: Result<FluxJobID, FluxFault>) {
        guard submitting.removeValue(forKey: ObjectIdentifier(job)) != nil else { return }
        defer { if submitting.isEmpty { unclaimed = [:] } }
        switch answer {
        case .failure(let fault): job.end(.refused(fault))
        case .success(let id):
            job.id = id
            // Whether a job of somebody else's submission is one of this instance's at all, only its own log tells.
            let isInJournal = isWatchingAll && submitter == nil
            if isInJournal { jobs[id] = job }
            job.onAccepted(id)
            if let note = job.pendingCancel { cancel(id, note: note) }
            if isInJournal {
                for event in unclaimed.removeValue(forKey: id) ?? [] { received(event, for: id) }
            } else {
                follow(job, id)
            }
        }
    }

    /// Watches one job by its own event log.
    private func follow(_ job: FluxJob, _ id: FluxJobID) {
        jobs[id] = job
        inquire(.events(of: id)) { [unowned self] answer in
            switch answer {
            case .payload(let json):
                guard let line = json["event"]?.string, let parsed = try? JSON(parsing: line), let event = FluxEvent(parsed)
                else {
                    return
                }
                received(event, for: id)
            case .end: end(id, .lost(FluxFault("the events of job \(id) ended before the job")))
            case .fault(let fault): end(id, .lost(FluxFault(code: fault.code, "job \(id): \(fault.description)")))
            }
        }
    }

    /// An entry of the journal: events of one job.
    private func heard(_ json: JSON) {
        guard let number = json["id"]?.integer, number >= 0 else { return }
        let id = FluxJobID(number)
        let events = (json["events"]?.array ?? []).compactMap { FluxEvent($0) }
        if jobs[id] != nil {
            for event in events { received(event, for: id) }
        } else if !submitting.isEmpty {
            unclaimed[id, default: []].append(contentsOf: events)
        }
    }

    private func received(_ event: FluxEvent, for id: FluxJobID) {
        guard let job = jobs[id], job.ending == nil else { return }
        let end = job.progress.receive(event)
        job.onEvent(event)
        if let end { self.end(id, .ended(end)) }
    }

    private func end(_ id: FluxJobID, _ ending: FluxJob.Ending) { jobs.removeValue(forKey: id)?.end(ending) }

    private func lose(_ fault: FluxFault) {
        guard lost == nil else { return }
        lost = fault
        connection.close()
        let all = Array(submitting.values) + jobs.sorted { $0.key.rawValue < $1.key.rawValue }.map(\.value)
        jobs = [:]
        submitting = [:]
        for job in all { job.end(.lost(fault)) }
        onLost(fault)
    }
}
