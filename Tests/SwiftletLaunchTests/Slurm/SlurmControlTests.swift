// SPDX-License-Identifier: BSD-3-Clause
import SwiftletModel
import Testing

@testable import SwiftletLaunch

/// When Slurm is asked what, with a clock that the test moves.
@Suite struct SlurmControlTests {
    private var control = SlurmControl()
    private var now = Instant(nanoseconds: 1_000_000_000_000)
    private let dead = CommandResult(
        end: .exited(status: 1),
        errors: "sbatch: error: Batch job submission failed: Unable to contact slurm controller (connect failure)\n")

    private mutating func tell(_ event: SlurmControl.Event) -> [SlurmControl.Action] { control.handle(event, at: now) }
    private mutating func pass(seconds: Double) { now = now.advanced(by: UInt64(seconds * 1e9)) }

    private func row(_ id: String, _ state: String, _ reason: String = "None", status: Int = 0, node: String = "n1") -> String {
        func pad(_ text: String, _ width: Int) -> String { text + String(repeating: " ", count: width - text.count) }
        return pad(id, 24) + pad(state, 18) + pad(reason, 40) + pad("\(status)", 12) + pad(node, 80) + "\n"
    }

    private func questions(_ actions: [SlurmControl.Action]) -> [(id: UInt64, question: SlurmQuestion)] {
        actions.compactMap { if case .run(let id, let question) = $0 { (id, question) } else { nil } }
    }

    /// Moves the clock until the queue is asked; the command's number.
    private mutating func untilAsked() -> UInt64? {
        for _ in 0..<100 {
            let actions = tell(.timePassed)
            if let asked = questions(actions).first(where: { $0.question == .queue }) { return asked.id }
            guard let wake = actions.compactMap({ if case .wake(let at) = $0 { at } else { nil } }).first else { return nil }
            now = wake
        }
        return nil
    }

    @Test mutating func aFewSubmissionsAtATime() {
        var started = (1...10).flatMap { tell(.submit(UInt64($0))) }.count { if case .submit = $0 { true } else { false } }
        #expect(started == 4)
        let actions = tell(.commandEnded(1, CommandResult(end: .exited(status: 0), output: "17\n")))
        #expect(actions.contains(.submitted(1, job: 17)))
        started = actions.count { if case .submit = $0 { true } else { false } }
        #expect(started == 1)
    }

    @Test mutating func aRefusalIsFinalAndInSlurmsWords() {
        _ = tell(.submit(1))
        let words = "sbatch: error: Batch job submission failed: Invalid partition name specified"
        #expect(tell(.commandEnded(1, CommandResult(end: .exited(status: 1), errors: words + "\n"))) == [.refused(1, words)])
    }

    @Test mutating func nothingIsLostWhileTheControllerIsAway() {
        _ = tell(.submit(1))
        var command: UInt64 = 1
        var tries = 1
        let start = now
        while now.nanoseconds - start.nanoseconds < 60_000_000_000 {
            let actions = tell(.commandEnded(command, dead))
            guard case .wake(let next)? = actions.last else { Issue.record("no wake: \(actions)"); return }
            now = next
            guard case .submit(let id, 1)? = tell(.timePassed).first else { Issue.record("not tried again"); return }
            command = id
            tries += 1
        }
        #expect((5...10).contains(tries))
        #expect(
            tell(.commandEnded(command, CommandResult(end: .exited(status: 0), output: "9\n"))).contains(.submitted(1, job: 9)))
    }

    @Test mutating func theSitesLimitHoldsACallBack() {
        _ = tell(.submit(1))
        let words =
            "sbatch: error: AssocMaxSubmitJobLimit\nsbatch: error: Batch job submission failed: Job violates accounting/QOS policy"
        let actions = tell(.commandEnded(1, CommandResult(end: .exited(status: 1), errors: words)))
        #expect(actions.first == .held(1, words))
        #expect(tell(.timePassed).allSatisfy { if case .submit = $0 { false } else { true } })
        pass(seconds: 2.1)
        #expect(tell(.timePassed).contains(.submit(2, 1)))
    }

    @Test mutating func oneQuestionForAllJobsLessAndLessOften() throws {
        _ = tell(.watch((1...1000).map { SlurmJobID(7, element: $0) }))
        let answer = (1...1000).map { row("7_\($0)", "PENDING", "Resources", node: "") }.joined()
        var moments: [UInt64] = []
        for _ in 0..<10 {
            let id = try #require(untilAsked())
            moments.append(now.nanoseconds)
            _ = tell(.commandEnded(id, CommandResult(end: .exited(status: 0), output: answer)))
        }
        let gaps = zip(moments.dropFirst(), moments).map { ($0 - $1) / 1_000_000_000 }
        #expect(gaps == [1, 2, 4, 8, 16, 30, 30, 30, 30])
        _ = tell(.stir)
        let before = now
        _ = try #require(untilAsked())
        #expect(now.nanoseconds - before.nanoseconds <= 1_000_000_000)
    }

    @Test mutating func onlyNewsIsReported() throws {
        _ = tell(.watch([SlurmJobID(7), SlurmJobID(8)]))
        var id = try #require(untilAsked())
        let first = tell(
            .commandEnded(
                id, CommandResult(end: .exited(status: 0), output: row("7", "RUNNING") + row("8", "RUNNING") + row("9", "FAILED"))
            ))
        guard case .reported(let both)? = first.first else { Issue.record("\(first)"); return }
        #expect(both.map(\.id) == [SlurmJobID(7), SlurmJobID(8)])
        id = try #require(untilAsked())
        let second = tell(
            .commandEnded(
                id,
                CommandResult(end: .exited(status: 0), output: row("7", "RUNNING") + row("8", "TIMEOUT", "TimeLimit", status: 15))
            ))
        guard case .reported(let one)? = second.first else { Issue.record("\(second)"); return }
        #expect(
            one.map(\.account) == [
                "Slurm job 8 on n1: it reached its time limit (TIMEOUT, TimeLimit); its script was ended by signal 15 (SIGTERM)"
            ])
    }

    @Test mutating func whatTheQueueForgotIsAskedOfTheAccountingAndThenGivenUp() throws {
        _ = tell(.watch([SlurmJobID(7), SlurmJobID(8)]))
        var forgotten: [SlurmJobID] = []
        var asked = 0
        while forgotten.isEmpty, asked < 20 {
            let id = try #require(untilAsked())
            let actions = tell(.commandEnded(id, CommandResult(end: .exited(status: 0))))
            guard let history = questions(actions).first else { Issue.record("\(actions)"); return }
            asked += 1
            #expect(history.question == .history(asked == 1 ? [7, 8] : [8]))
            let answer = tell(.commandEnded(history.id, CommandResult(end: .exited(status: 0), output: "7|FAILED|7:0|n1|None\n")))
            if asked == 1 { #expect(answer.contains { if case .reported = $0 { true } else { false } }) }
            forgotten = answer.compactMap { if case .forgotten(let jobs) = $0 { jobs } else { nil } }.first ?? []
        }
        #expect(forgotten == [SlurmJobID(8)])
        #expect((5...9).contains(asked))
    }

    @Test mutating func anAnswerThatIsOlderThanAJobSaysNothingAboutIt() throws {
        _ = tell(.watch([SlurmJobID(7)]))
        let old = SharedAnswer.header(Instant(nanoseconds: now.nanoseconds - 1))
        let id = try #require(untilAsked())
        #expect(questions(tell(.commandEnded(id, CommandResult(end: .exited(status: 0), output: old)))).isEmpty)
    }

    @Test mutating func aWithdrawnSubmissionThatSucceededIsCancelled() {
        _ = tell(.submit(1))
        #expect(tell(.withdraw(1)).isEmpty)
        let actions = tell(.commandEnded(1, CommandResult(end: .exited(status: 0), output: "17\n")))
        #expect(questions(actions).map(\.question) == [.cancel([SlurmJobID(17)])])
    }

    @Test mutating func cancellingSurvivesAControllerThatIsAway() throws {
        let asked = questions(tell(.cancel([SlurmJobID(3)])))
        let id = try #require(asked.first?.id)
        _ = tell(.commandEnded(id, dead))
        pass(seconds: 1)
        #expect(questions(tell(.timePassed)).map(\.question) == [.cancel([SlurmJobID(3)])])
    }

    @Test mutating func whoHasNothingToAskSleeps() {
        #expect(tell(.timePassed).isEmpty)
        _ = tell(.watch([SlurmJobID(1)]))
        #expect(tell(.unwatch([SlurmJobID(1)])).isEmpty)
    }
}
