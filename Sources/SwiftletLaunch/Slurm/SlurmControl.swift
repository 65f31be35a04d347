// SPDX-License-Identifier: BSD-3-Clause
public import SwiftletModel

/// How a command ended that was run for its answer.
public struct CommandResult: Hashable, Sendable {
    public var end: ProcessEnd
    public var output: String
    public var errors: String

    public init(end: ProcessEnd, output: String = "", errors: String = "") {
        self.end = end
        self.output = output
        self.errors = errors
    }

    public var succeeded: Bool { end == .exited(status: 0) }
}

/// Decides when Slurm is asked what: one question for all jobs, with back-off, submissions a few at a time, and nothing lost while
/// the controller does not answer. Pure: events go in, actions come out, the time is told.
public struct SlurmControl: Sendable {
    public typealias Ticket = UInt64
    public typealias CommandID = UInt64

    public enum Event: Sendable {
        /// A batch wants to be submitted; who runs the commands knows it by its ticket.
        case submit(Ticket)
        /// It is not wanted any more, unless it is submitted already.
        case withdraw(Ticket)
        /// Reports about these jobs are wanted, which exist since now or longer.
        case watch([SlurmJobID])
        case unwatch([SlurmJobID])
        case cancel([SlurmJobID])
        /// Somebody waits, or a job is about to have ended: the next question is worth asking soon.
        case stir
        case commandEnded(CommandID, CommandResult)
        case timePassed
    }

    public enum Action: Hashable, Sendable {
        case submit(CommandID, Ticket)
        case run(CommandID, SlurmQuestion)
        case submitted(Ticket, job: UInt32)
        /// Slurm will never take it; in Slurm's words.
        case refused(Ticket, String)
        /// The site's limit is reached: it is tried again when jobs have ended.
        case held(Ticket, String)
        /// Something new is known about these.
        case reported([SlurmJobReport])
        /// Neither the queue nor the accounting knows these any more.
        case forgotten([SlurmJobID])
        /// Slurm does not answer; the text is its own. Everything is tried again.
        case unreachable(String)
        case wake(Instant)
    }

    struct Watched: Sendable {
        var since: Instant
        var last: SlurmJobReport?
        /// Since when the queue does not know it.
        var missingSince: Instant?
    }

    static let submissionsAtOnce = 4
    static let cancelledAtOnce = 500
    /// How long neither the queue nor the accounting may know a job, until it counts as forgotten.
    static let patience: UInt64 = 60_000_000_000

    var waiting: [Ticket] = []
    var held: Set<Ticket> = []
    var commands: [CommandID: (question: SlurmQuestion, started: Instant)] = [:]
    var submissions: [CommandID: Ticket] = [:]
    var withdrawn: Set<Ticket> = []
    var watched: [SlurmJobID: Watched] = [:]
    var cancels: [SlurmJobID] = []
    var nextCommand: CommandID = 1
    /// When the queue is asked next, and how long after an answer.
    var question = Pace(first: 1_000_000_000, longest: 30_000_000_000)
    /// For everything but questions: grows while Slurm does not answer.
    var retry = Pace(first: 500_000_000, longest: 30_000_000_000)
    /// For what the site's limits hold back.
    var room = Pace(first: 2_000_000_000, longest: 30_000_000_000)

    public init() {}

    /// Jobs that have not ended, as far as is known.
    public var activeJobs: Int { watched.values.count { $0.last?.state.hasEnded != true } }

    public mutating func handle(_ event: Event, at now: Instant) -> [Action] {
        var actions: [Action] = []
        switch event {
        case .submit(let ticket): waiting.append(ticket)
        case .withdraw(let ticket): withdraw(ticket)
        case .watch(let jobs):
            if !wantsReports { question.begin(at: now) } else { question.stir(at: now) }
            for job in jobs where watched[job] == nil { watched[job] = Watched(since: now) }
        case .unwatch(let jobs): for job in jobs { watched[job] = nil }
        case .cancel(let jobs): cancels += jobs
        case .stir: question.stir(at: now)
        case .commandEnded(let id, let result):
            if let ticket = submissions.removeValue(forKey: id) {
                submissionEnded(ticket, result, at: now, &actions)
            } else if let command = commands.removeValue(forKey: id) {
                ended(command.question, started: command.started, result, at: now, &actions)
            }
        case .timePassed: break
        }
        proceed(at: now, &actions)
        return actions
    }

    /// Starts what may start now, and says when to come again.
    private mutating func proceed(at now: Instant, _ actions: inout [Action]) {
        if !held.isEmpty, room.isDue(at: now) {
            waiting += held.sorted()
            held = []
            room.asked()
        }
        if retry.isDue(at: now) {
            while !waiting.isEmpty, submissions.count < Self.submissionsAtOnce {
                let ticket = waiting.removeFirst()
                submissions[nextCommand] = ticket
                actions.append(.submit(nextCommand, ticket))
                nextCommand += 1
            }
            if !cancels.isEmpty, !isAsking(where: { if case .cancel = $0 { true } else { false } }) {
                let batch = Array(cancels.prefix(Self.cancelledAtOnce))
                cancels.removeFirst(batch.count)
                ask(.cancel(batch), at: now, &actions)
            }
        }
        if wantsReports, question.isDue(at: now), !isAsking(where: { if case .queue = $0 { true } else { false } }) {
            question.asked()
            ask(.queue, at: now, &actions)
        }
        if let next = nextMoment(after: now) { actions.append(.wake(next)) }
    }

    /// Jobs about which there may be news.
    private var wantsReports: Bool { watched.values.contains { $0.last?.state.hasEnded != true } }

    mutating func ask(_ question: SlurmQuestion, at now: Instant, _ actions: inout [Action]) {
        commands[nextCommand] = (question, now)
        actions.append(.run(nextCommand, question))
        nextCommand += 1
    }

    private func isAsking(where matches: (SlurmQuestion) -> Bool) -> Bool { commands.values.contains { matches($0.question) } }

    private func nextMoment(after now: Instant) -> Instant? {
        var moments: [Instant] = []
        if !waiting.isEmpty && submissions.count < Self.submissionsAtOnce || !cancels.isEmpty { moments.append(retry.next) }
        if !held.isEmpty { moments.append(room.next) }
        if wantsReports { moments.append(question.next) }
        return moments.filter { $0 > now }.min()
    }

    private mutating func withdraw(_ ticket: Ticket) {
        if submissions.values.contains(ticket) { withdrawn.insert(ticket) }
        waiting.removeAll { $0 == ticket }
        held.remove(ticket)
    }
}

/// What Slurm can be asked.
public enum SlurmQuestion: Hashable, Sendable {
    case queue
    case history([UInt32])
    case cancel([SlurmJobID])
}

/// Moments for something that is repeated: soon after a stir, then less and less often.
struct Pace: Sendable {
    let first: UInt64
    let longest: UInt64
    private(set) var next = Instant(nanoseconds: 0)
    private var interval: UInt64

    init(first: UInt64, longest: UInt64) {
        self.first = first
        self.longest = longest
        interval = first
    }

    func isDue(at now: Instant) -> Bool { now >= next }

    /// Not again before the answer has come.
    mutating func asked() { next = Instant(nanoseconds: .max) }

    /// There was nothing to ask, and now there is.
    mutating func begin(at now: Instant) {
        interval = first
        if next.nanoseconds != .max { next = now.advanced(by: first) }
    }

    /// Back to the beginning: something has happened.
    mutating func stir(at now: Instant) {
        interval = first
        if next.nanoseconds != .max { next = min(next, now.advanced(by: first)) }
    }

    /// Everything is well: no waiting.
    mutating func reset() {
        interval = first
        next = Instant(nanoseconds: 0)
    }

    /// The next time, after an answer that took `duration` and with news or without: the less there is to hear, the longer it
    /// takes, and never does asking take more than a twentieth of the time.
    mutating func again(at now: Instant, news: Bool, duration: UInt64 = 0) {
        if news { interval = first }
        next = now.advanced(by: max(interval, min(duration &* 20, longest)))
        interval = min(interval &* 2, longest)
    }
}
