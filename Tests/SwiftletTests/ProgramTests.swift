// SPDX-License-Identifier: BSD-3-Clause
import Foundation
import Testing

/// Programs are run from where the tests were built: a test runner cannot be its own worker.
@Suite struct ProgramTests {
    private func run(_ program: String, _ arguments: String...) throws -> [String] {
        let process = Process()
        let builds = URL(fileURLWithPath: CommandLine.arguments[0]).deletingLastPathComponent()
        process.executableURL = builds.appending(path: program)
        process.arguments = arguments
        let output = Pipe()
        process.standardOutput = output
        try process.run()
        let bytes = output.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        #expect(process.terminationStatus == 0)
        return String(decoding: bytes, as: UTF8.self).split(separator: "\n").map(String.init)
    }

    @Test func valuesComeBackAlsoOfGenericTasks() throws {
        #expect(try run("TestProgram", "values") == ["sum 328350", "value [\"a\", \"a\"]", "value [[1.5], [1.5]]"])
    }

    @Test func eachFailureSaysWhatItWasAndHarmsNoOtherTask() throws {
        let lines = try run("TestProgram", "failures")
        #expect(lines.count == 5)
        #expect(lines[0] == "lost: the worker that ran the task was ended by signal 9 (SIGKILL)")
        #expect(lines[1] == "said: about to crash")
        #expect(lines[2].hasPrefix("refused: Hidden cannot be found by name in a worker, because it is private"))
        #expect(lines[3].hasPrefix("failed: Value cannot be encoded"))
        #expect(lines[4] == "value 9")
    }

    @Test func whatATaskPrintsAppearsWhereTheProgramPrints() throws {
        #expect(Set(try run("TestProgram", "output")) == ["printed by a task", "value 0"])
    }

    @Test func cancellingTheWaitingTaskCancelsTheRemoteOne() throws {
        #expect(try run("TestProgram", "cancel") == ["cancelled", "value 16"])
    }

    @Test func anErrorInTheBodyEndsWhatRuns() throws {
        #expect(try run("TestProgram", "throw") == ["stopped"])
    }

    @Test func theExampleRuns() throws {
        let lines = try run("ParameterSweep")
        #expect(lines.count == 5)
        #expect(lines[0] == "rate 2.8: mean 0.643")
        #expect(lines[4].contains("RateOutOfRange(rate: 5.0)"))
    }
}
