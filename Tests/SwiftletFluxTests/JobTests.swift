// SPDX-License-Identifier: BSD-3-Clause
import SwiftletFlux
import Testing

@Suite struct JobTests {
    /// What a recorded log makes of a job; nil where it does not end it.
    private func end(of log: String) throws -> FluxJobEnd? {
        var progress = FluxJobProgress()
        var end: FluxJobEnd?
        for line in log.split(separator: "\n") {
            let event = try #require(FluxEvent(try JSON(parsing: String(line))))
            #expect(end == nil, "an event after the end")
            end = progress.receive(event)
        }
        #expect((progress.state == .inactive) == (end != nil))
        return end
    }

    struct Case: Sendable, CustomStringConvertible {
        let log: String
        let result: FluxJobEnd.Result
        let exitCode: Int
        let signal: Int?
        let isRefusal: Bool
        let description: String

        init(
            _ log: String, _ result: FluxJobEnd.Result, exit exitCode: Int, signal: Int? = nil, isRefusal: Bool = false,
            _ description: String
        ) {
            (self.log, self.result, self.exitCode, self.signal) = (log, result, exitCode, signal)
            (self.isRefusal, self.description) = (isRefusal, description)
        }
    }

    @Test(arguments: [
        Case(RecordedLog.success, .completed, exit: 0, "exited with status 0"),
        Case(RecordedLog.exit42, .failed, exit: 42, "exited with status 42"),
        Case(RecordedLog.killed, .failed, exit: 137, signal: 9, "was ended by signal 9"),
        Case(RecordedLog.segmentationFault, .failed, exit: 139, signal: 11, "was ended by signal 11"),
        Case(
            RecordedLog.commandNotFound, .failed, exit: 127,
            "exited with status 127: task 0 (host vm): start failed: no-such-command: No such file or directory"),
        Case(
            RecordedLog.notExecutable, .failed, exit: 126,
            "exited with status 126: task 0 (host vm): start failed: /etc/passwd: Permission denied"),
        Case(RecordedLog.timeLimit, .timeout, exit: 142, signal: 14, "ran into its time limit"),
        Case(RecordedLog.cancelledRunning, .cancelled, exit: 143, signal: 15, "was cancelled: the user said so"),
        Case(RecordedLog.cancelledAndKilled, .cancelled, exit: 137, signal: 9, "was cancelled"),
        Case(RecordedLog.cancelledPending, .cancelled, exit: 1, "was cancelled"),
        Case(
            RecordedLog.tooManyCores, .failed, exit: 1, isRefusal: true,
            "failed: unsatisfiable request: need 1 slot(s) of 9 core(s), only 0 such slot(s) available (total cores: 2)"),
        Case(RecordedLog.highestOfTwo, .failed, exit: 3, "exited with status 3"),
        Case(RecordedLog.signalled, .failed, exit: 143, signal: 15, "was ended by signal 15"),
        Case(
            RecordedLog.inputNeverStarted, .failed, exit: 1, "failed: dependency after-success=ƒebpnYF job never started"),
        Case(RecordedLog.heldForAWhile, .completed, exit: 0, "exited with status 0"),
        Case(RecordedLog.instance, .completed, exit: 0, "exited with status 0"),
        Case(
            RecordedLog.exitOnError, .failed, exit: 3,
            "exited with status 3: sh: task rank 1 on host vm failed (Exit 3) and exit-on-error is set"),
    ])
    func everyRecordedLogEndsAsFluxSays(_ expected: Case) throws {
        let end = try #require(try end(of: expected.log))
        #expect(end.result == expected.result)
        #expect(end.exitCode == expected.exitCode)
        #expect(end.signal == expected.signal)
        #expect(end.isRefusal == expected.isRefusal)
        #expect(end.description == expected.description)
    }

    @Test func nothingEndsAJobButItsLastEvent() throws {
        for log in [RecordedLog.success, RecordedLog.timeLimit, RecordedLog.cancelledPending] {
            let lines = log.split(separator: "\n")
            #expect(try end(of: lines.dropLast().joined(separator: "\n")) == nil)
        }
    }

    @Test func anExceptionThatIsNotFatalIsNoEnd() throws {
        var progress = FluxJobProgress()
        #expect(progress.receive(FluxEvent(name: "start")) == nil)
        let mild: JSON = ["type": "user", "severity": 5, "note": "look"]
        #expect(progress.receive(FluxEvent(name: "exception", context: mild)) == nil)
        #expect(progress.receive(FluxEvent(name: "finish", context: ["status": 0])) == nil)
        let end = progress.receive(FluxEvent(name: "clean"))
        #expect(end?.result == .completed)
    }

    @Test func aDependencyThatCannotBeMetEndsTheJob() throws {
        var progress = FluxJobProgress()
        let context: JSON = [
            "type": "dependency", "severity": 0, "note": "dependency after-success=ƒ2Qs can never be satisfied", "userid": 0,
        ]
        #expect(progress.receive(FluxEvent(name: "exception", context: context)) == nil)
        let end = progress.receive(FluxEvent(name: "clean"))
        #expect(end?.description == "failed: dependency after-success=ƒ2Qs can never be satisfied")
        #expect(end?.didStart == false)
    }
}
