// SPDX-License-Identifier: BSD-3-Clause
import Foundation
import Swiftlet
import Testing

@testable import TestProgram

/// Programs that are named as workers and are none.
@Suite(.timeLimit(.minutes(2))) struct WorkerProgramTests {
    private func script(_ text: String, in directory: URL) throws -> String {
        let path = directory.appending(path: "script").path
        // By another process: no process that a test starts meanwhile can hold the file open for writing.
        _ = try run("/bin/sh", "-c", "cat > '\(path)' <<'END'\n#!/bin/sh\n\(text)\nEND\nchmod +x '\(path)'")
        return path
    }

    private func refusal(_ configuration: ExecutorConfiguration) async throws -> String {
        try await withExecutor(configuration) { executor in
            // Where the program has ended by now, the first task is told at once.
            let error: TaskError
            do { error = try await failure(executor, Square(number: 3)) } catch let refusal as TaskError { error = refusal }
            #expect(error.code == .refused)
            #expect(!error.isRetryable)
            // Later tasks are told the same.
            let next = #expect(throws: TaskError.self) { try executor.submit(Square(number: 3)) }
            #expect(next?.description == error.description)
            return error.description
        }
    }

    @Test(arguments: [WorkerMode.fresh, .warm]) func aProgramThatEndsIsNamedAtOnce(_ mode: WorkerMode) async throws {
        let said = try await refusal(.singleNode(maxWorkers: 1, mode: mode, program: "/bin/true"))
        #expect(said.hasPrefix("the program /bin/true was started as a worker, which it has to recognise"))
        #expect(said.contains("make it a TaskProgram, or call enterWorkerModeIfAsked() first of all"))
    }

    @Test func aProgramThatDoesSomethingElseIsEndedAfterTheLimit() async throws {
        try await withDirectory { directory in
            let mark = directory.appending(path: "pid").path
            let program = try script("echo $$ > \(mark)\nexec sleep 600", in: directory)
            var configuration = ExecutorConfiguration.singleNode(maxWorkers: 1, program: program)
            configuration.startLimit = .milliseconds(500)
            let said = try await refusal(configuration)
            #expect(said.hasPrefix("the program \(program) was started as a worker and has not entered worker mode within 0.5 s"))
            #expect(said.contains("startLimit"))
            let process = try #require(
                pid_t(String(contentsOfFile: mark, encoding: .utf8).trimmingCharacters(in: .whitespacesAndNewlines)))
            #expect(kill(process, 0) != 0)
        }
    }

    @Test func aScriptThatForgetsTheArgumentsDoesNotStartItselfForEver() async throws {
        try await withDirectory { directory in
            let mark = directory.appending(path: "starts").path
            let path = directory.appending(path: "script").path
            _ = try script("echo x >> \(mark)\nexec \(program) again \(path)", in: directory)
            let end = try run("TestProgram", "again", path)
            #expect(end.status == 1)
            let advice = "call enterWorkerModeIfAsked() first of all (a script that starts it passes its arguments on)"
            #expect(end.lines.contains { $0.contains("an executor was made in a process that was started as a worker") })
            #expect(end.lines.last?.contains("\(path) was started as a worker") == true)
            #expect(end.lines.last?.contains(advice) == true)
            #expect(try String(contentsOfFile: mark, encoding: .utf8) == "x\n")
        }
    }

    @Test(arguments: [false, true]) func aProgramThatIsReplacedByNoneIsTold(isWarm: Bool) async throws {
        try await withDirectory { directory in
            let copy = directory.appending(path: "worker").path
            _ = try run("/bin/cp", program, copy)
            var configuration = isWarm ? warm : fresh
            configuration.maxWorkers = 1
            configuration.program = copy
            try await withExecutor(configuration) { executor in
                #expect(try await executor.run(Square(number: 3)) == 9)
                _ = try run("/bin/sh", "-c", "cp /bin/true '\(copy).new' && mv '\(copy).new' '\(copy)'")
                if isWarm { _ = try await failure(executor, Crash(way: .exit(1))) }
                let error = try await failure(executor, Square(number: 3))
                #expect(error.code == .refused)
                #expect(error.description.contains("the program \(copy) exited with status 0 before it had entered worker mode"))
            }
        }
    }

    @Test func noProcessIsLeftWhenTheExecutorHasEnded() async throws {
        #expect(try run("TestProgram", "children").lines == ["children: 0"])
    }
}
