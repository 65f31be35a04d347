// SPDX-License-Identifier: BSD-3-Clause
import Foundation
import Swiftlet
import Testing

@testable import TestProgram

@Suite struct CommandTests {
    @Test(arguments: [fresh, warm]) func howAProgramEndsIsItsValue(_ configuration: ExecutorConfiguration) async throws {
        try await withExecutor(configuration) { executor async throws in
            let script = "echo out; echo err >&2; exit 3"
            let result = try await executor.run("sh", arguments: ["-c", script])
            #expect(result.exitStatus == 3)
            #expect(!result.isSuccess)
            #expect(result.standardOutput == "out\n")
            #expect(result.standardError == "err\n")
            #expect(result.outputCount == 4)
            let killed = try await executor.run("/bin/sh", arguments: ["-c", "kill -9 $$"])
            #expect(killed.signal == SIGKILL)
            #expect(killed.exitStatus == nil)
        }
    }

    @Test(arguments: [fresh, warm]) func inputFilesDirectoryAndVariablesAreAsAskedFor(
        _ configuration: ExecutorConfiguration
    ) async throws {
        try await withDirectory { directory in
            try await withExecutor(configuration) { executor async throws in
                let command = Command(
                    "sh", arguments: ["-c", "cat; echo $NAME; pwd; echo bad >&2"], environment: ["NAME": "value"],
                    workingDirectory: directory.path, standardInput: .text("typed\n"), standardOutput: .file("out.txt"),
                    standardError: .file("err.txt"))
                let result = try await executor.run(command)
                #expect(result.isSuccess)
                #expect(result.output.isEmpty)
                let text = try String(contentsOf: directory.appending(path: "out.txt"), encoding: .utf8)
                #expect(text == "typed\nvalue\n\(directory.resolvingSymlinksInPath().path)\n")
                let read = Command(
                    "cat", standardInput: .file(directory.appending(path: "err.txt").path))
                #expect(try await executor.run(read).standardOutput == "bad\n")
            }
        }
    }

    @Test(arguments: [fresh, warm]) func ofMuchOutputTheEndIsKept(_ configuration: ExecutorConfiguration) async throws {
        let result = try await withExecutor(configuration) { try await $0.run("seq", arguments: ["1000000"]) }
        #expect(result.isSuccess)
        #expect(result.output.count == 65_536)
        #expect(result.outputCount == 6_888_896)
        #expect(result.standardOutput.hasSuffix("\n999999\n1000000\n"))
    }

    @Test(arguments: [fresh, warm]) func aProgramThatCannotBeStartedIsAnError(
        _ configuration: ExecutorConfiguration
    ) async throws {
        try await withExecutor(configuration) { executor async throws in
            for command in [
                Command("no-such-program"), Command("/no/such/program"), Command("true", workingDirectory: "/no/such/place"),
                Command("true", standardOutput: .file("/no/such/place/file")),
            ] {
                let error = try await failure(executor, command)
                #expect(error.code == .refused)
                #expect(error.description.contains("cannot start"))
                let next = try await failure(executor, Command("true"), after: [try executor.submit(command)])
                #expect(next.code == .inputFailed)
            }
            #expect(throws: TaskError.self) { try executor.submit(Command("")) }
            #expect(throws: TaskError.self) { try executor.submit(Command("true", arguments: ["a\0b"])) }
            #expect(throws: TaskError.self) {
                try executor.submit(Command("true", standardInput: .bytes(Array(repeating: 0, count: 65_537))))
            }
        }
    }

    @Test(arguments: [fresh, warm]) func cancellingAndLimitsEndTheProgram(_ configuration: ExecutorConfiguration) async throws {
        try await withDirectory { directory in
            try await withExecutor(configuration) { executor async throws in
                let late = try await failure(
                    executor, Command("sleep", arguments: ["600"]), resources: ResourceRequest(timeLimit: .milliseconds(100)))
                #expect(late.code == .timeLimit)
                let mark = directory.appending(path: "pid").path
                let handle = try executor.submit(
                    Command("sh", arguments: ["-c", "echo $$ > \(mark).new; mv \(mark).new \(mark); sleep 600"]))
                while !FileManager.default.fileExists(atPath: mark) { await Task.yield() }
                let process = try #require(
                    pid_t(String(contentsOfFile: mark, encoding: .utf8).trimmingCharacters(in: .whitespacesAndNewlines)))
                handle.cancel()
                while kill(process, 0) == 0 { await Task.yield() }
            }
        }
    }

    @Test(arguments: [fresh, warm]) func aProgramRunsAfterTasksAndItsResultIsAnInput(
        _ configuration: ExecutorConfiguration
    ) async throws {
        try await withDirectory { directory in
            try await withExecutor(configuration) { executor async throws in
                let first = try executor.submit(
                    Command("sh", arguments: ["-c", "sleep 0.1; echo 1 > a"], workingDirectory: directory.path))
                let second = try executor.submit(
                    Command("cat", arguments: ["a"], workingDirectory: directory.path), after: [first])
                let text = try executor.submit(OutputOf(result: Input(second)))
                #expect(try await text.value == "1\n")
            }
        }
    }
}
