// SPDX-License-Identifier: BSD-3-Clause
import Foundation
import Testing

@Suite struct ProgramTests {
    @Test func aProgramIsItsOwnWorker() throws {
        #expect(try run("TestProgram", "values").lines == ["sum 328350"])
    }

    @Test func whatATaskPrintsAppearsWhereTheProgramPrints() throws {
        let lines = try run("TestProgram", "output", "100000").lines
        #expect(lines.count == 100_000)
        #expect(lines.first == "line 0 printed by a task")
        #expect(lines.last == "line 99999 printed by a task")
    }

    @Test func anErrorInTheBodyEndsWhatRuns() throws {
        #expect(try run("TestProgram", "throw").lines == ["stopped"])
    }

    @Test func anErrorThatLeavesTheProgramIsItsStatus() throws {
        #expect(try run("TestProgram", "fail").status == 1)
    }

    @Test func aProgramThatForgotToEnterWorkerModeStopsAndSaysSo() throws {
        let lines = try run("CarelessProgram").lines
        let advice =
            "TaskProgram, or call enterWorkerModeIfAsked() first of all (a script that starts it passes its arguments on)"
        #expect(lines.filter { $0.contains(advice) && $0.contains("Fatal error: an executor was made in a process") }.count == 1)
        let error = lines.last ?? ""
        #expect(
            error.hasPrefix("the program ") && error.contains("CarelessProgram was started as a worker") && error.contains(advice)
        )
    }

    @Test func itsOwnEngineAsksABatchSystemThroughIt() throws {
        #expect(try run("TestProgram", "--swiftlet-shared", "0", "echo", "the queue").lines.last == "the queue")
        #expect(try run("TestProgram", "--swiftlet-shared").status == 2)
    }

    @Test func theParameterSweepRuns() throws {
        let lines = try run("ParameterSweep").lines
        #expect(lines.count == 5)
        #expect(lines.first == "rate 2.8: mean 0.643")
        #expect(lines.last?.contains("RateOutOfRange(rate: 5.0)") == true)
    }

    @Test func theDependencyGraphRuns() throws {
        #expect(try run("DependencyGraph").lines == ["7837 primes", "lines: 7837"])
    }

    @Test func theRanksRun() throws {
        #expect(try run("Ranks").lines == ["4 ranks: 3.141593"])
    }

    @Test(.enabled(if: FileManager.default.isExecutableFile(atPath: python), "scripts/venv has made no .venv"))
    func pythonIsCalled() throws {
        let path = root.appending(path: "python").path
        let lines = try run(
            "/usr/bin/env", "SWIFTLET_PYTHON=\(python)", "PYTHONPATH=\(path)", builds.appending(path: "CallingPython").path)
        #expect(lines.lines == ["mean 500", "spread 289", "StatisticsError"])
    }
}
