// SPDX-License-Identifier: BSD-3-Clause
public import SwiftletModel

extension SlurmControl {
    mutating func submissionEnded(_ ticket: Ticket, _ result: CommandResult, at now: Instant, _ actions: inout [Action]) {
        if result.succeeded, let job = SlurmAnswers.submittedJob(result.output) {
            retry.reset()
            if withdrawn.remove(ticket) != nil { return cancels.append(SlurmJobID(job)) }
            question.stir(at: now)
            return actions.append(.submitted(ticket, job: job))
        }
        if withdrawn.remove(ticket) != nil { return }
        let words = SlurmRefusal.words(result)
        switch SlurmRefusal(words) {
        case .noAnswer:
            waiting.insert(ticket, at: 0)
            unreachable(words, at: now, &actions)
        case .noRoom:
            held.insert(ticket)
            room.again(at: now, news: false)
            actions.append(.held(ticket, words))
        case .final: actions.append(.refused(ticket, words))
        }
    }

    mutating func ended(
        _ asked: SlurmQuestion, started: Instant, _ result: CommandResult, at now: Instant, _ actions: inout [Action]
    ) {
        switch asked {
        case .queue: queueAnswered(started: started, result, at: now, &actions)
        case .history(let jobs): historyAnswered(Set(jobs), result, at: now, &actions)
        case .cancel(let jobs):
            // scancel also complains about jobs that have ended meanwhile.
            let words = SlurmRefusal.words(result)
            if !result.succeeded, SlurmRefusal(words) == .noAnswer {
                cancels.insert(contentsOf: jobs, at: 0)
                unreachable(words, at: now, &actions)
            } else {
                retry.reset()
                question.stir(at: now)
            }
        }
    }

    private mutating func unreachable(_ words: String, at now: Instant, _ actions: inout [Action]) {
        retry.again(at: now, news: false)
        actions.append(.unreachable(words))
    }

    private mutating func queueAnswered(
        started: Instant, _ result: CommandResult, at now: Instant, _ actions: inout [Action]
    ) {
        guard result.succeeded else {
            question.again(at: now, news: false)
            return actions.append(.unreachable(SlurmRefusal.words(result)))
        }
        let (asked, text) = SharedAnswer.split(result.output, otherwise: started)
        var news: [SlurmJobReport] = []
        var seen: Set<SlurmJobID> = []
        for report in SlurmAnswers.queue(text) {
            guard let known = watched[report.id] else { continue }
            seen.insert(report.id)
            if known.last != report { news.append(report) }
            watched[report.id]?.last = report
            watched[report.id]?.missingSince = nil
        }
        // A job that was submitted after the question is rightly missing in the answer.
        let missing = watched.filter { !seen.contains($0.key) && $0.value.since < asked && $0.value.last?.state.hasEnded != true }
        let jobs = Set(missing.keys.map(\.job))
        if !jobs.isEmpty, !commands.values.contains(where: { if case .history = $0.question { true } else { false } }) {
            for job in missing.keys where watched[job]?.missingSince == nil { watched[job]?.missingSince = now }
            ask(.history(jobs.sorted()), at: now, &actions)
        }
        let duration = now.nanoseconds - min(started.nanoseconds, now.nanoseconds)
        question.again(at: now, news: !news.isEmpty, duration: duration)
        if news.contains(where: \.state.hasEnded) { room.stir(at: now) }
        if !news.isEmpty { actions.append(.reported(news)) }
    }

    /// The accounting is some seconds late, so it is asked again before a job counts as forgotten.
    private mutating func historyAnswered(
        _ jobs: Set<UInt32>, _ result: CommandResult, at now: Instant, _ actions: inout [Action]
    ) {
        var news: [SlurmJobReport] = []
        for report in SlurmAnswers.history(result.output) where report.state.hasEnded && watched[report.id] != nil {
            news.append(report)
            watched[report.id]?.last = report
        }
        let forgotten = watched.filter {
            jobs.contains($0.key.job) && $0.value.last?.state.hasEnded != true
                && $0.value.missingSince.map { $0.advanced(by: Self.patience) <= now } ?? false
        }
        if !news.isEmpty { actions.append(.reported(news)) }
        guard !forgotten.isEmpty else { return }
        for job in forgotten.keys { watched[job] = nil }
        actions.append(.forgotten(forgotten.keys.sorted { ($0.job, $0.element ?? 0) < ($1.job, $1.element ?? 0) }))
    }
}

/// Why Slurm did not do what it was told.
enum SlurmRefusal: Hashable {
    /// It did not answer: the same may succeed in a moment.
    case noAnswer
    /// There are too many jobs: it succeeds when some have ended.
    case noRoom
    case final

    init(_ words: String) {
        if Self.silences.contains(where: words.contains) {
            self = .noAnswer
        } else if Self.limits.contains(where: words.contains) {
            self = .noRoom
        } else {
            self = .final
        }
    }

    /// What a failed command said, or else how it ended.
    static func words(_ result: CommandResult) -> String {
        let text = [result.errors, result.output].first { !$0.isEmpty } ?? ""
        let lines = text.split(separator: "\n").joined(separator: "\n")
        return lines.isEmpty ? "the command \(result.end)" : lines
    }

    private static let silences = [
        "Unable to contact slurm controller", "Socket timed out", "Zero Bytes were transmitted", "Connection refused",
        "connect failure",
        "temporarily unable to accept job", "Could not establish a configuration source", "is in standby mode",
        "Connection timed out",
        "Unable to establish controller machine", "Transport endpoint is not connected", "Communication connection failure",
        "Resource temporarily unavailable",
    ]
    private static let limits = ["MaxSubmitJob", "GrpSubmitJob", "MaxSubmitPA", "MaxSubmitPU", "max job count"]
}

/// An answer that several engines share says when its question was asked.
public enum SharedAnswer {
    static let mark = "swiftlet-asked-at "

    /// The first line of a shared answer. `instant` is the monotonic clock's, which all processes of a node read alike.
    public static func header(_ instant: Instant) -> String { "\(mark)\(instant.nanoseconds)\n" }

    /// When it was asked; nil where that is not said.
    public static func instant(of answer: some Sequence<UInt8>) -> Instant? {
        let line = String(decoding: answer.prefix { $0 != UInt8(ascii: "\n") }, as: UTF8.self)
        guard line.hasPrefix(mark), let nanoseconds = UInt64(line.dropFirst(mark.count)) else { return nil }
        return Instant(nanoseconds: nanoseconds)
    }

    static func split(_ text: String, otherwise: Instant) -> (asked: Instant, rest: String) {
        guard let asked = instant(of: text.utf8) else { return (otherwise, text) }
        return (asked, String(text.drop { $0 != "\n" }.dropFirst()))
    }
}
