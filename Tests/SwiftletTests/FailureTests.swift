// SPDX-License-Identifier: BSD-3-Clause
import Foundation
import Swiftlet
import Testing

@testable import TestProgram

@Suite struct FailureTests {
    @Test(arguments: [fresh, warm]) func whatARunThrowsIsTheCause(_ configuration: ExecutorConfiguration) async throws {
        try await withExecutor(configuration) { executor async throws in
            let error = try await failure(executor, Checked(number: 12))
            #expect(error.code == .failed)
            #expect(error.cause as? OutOfRange == OutOfRange(number: 12))
            #expect(error.description == "OutOfRange(number: 12)")
            #expect(error.attempt == 1)
            #expect(error.host == ProcessInfo.processInfo.hostName)
            #expect((error.processID ?? 0) > 0)
            #expect(!error.isRetryable)
            let plain = try await failure(executor, Checked(number: -1))
            #expect(plain.cause == nil)
            #expect(plain.causeType == "Plain")
            #expect(try await executor.run(Checked(number: 1)) == 1)
        }
    }

    @Test(arguments: [fresh, warm]) func aWorkerThatDiesFailsItsOwnTaskOnly(_ configuration: ExecutorConfiguration) async throws {
        try await withExecutor(configuration) { executor async throws in
            let killed = try await failure(executor, Crash(way: .signal(SIGKILL)))
            #expect(killed.code == .lost)
            #expect(killed.description == "the worker that ran the task was ended by signal 9 (SIGKILL)")
            #expect(killed.signal == SIGKILL)
            #expect(killed.errorOutput == "about to crash\n")
            #expect(killed.isRetryable)
            let exited = try await failure(executor, Crash(way: .exit(7)))
            #expect(exited.code == .lost)
            #expect(exited.exitStatus == 7)
            #expect(try await executor.run(Square(number: 4)) == 16)
        }
    }

    /// What a worker had done is done, though it died in the next call a moment later, and what waited behind that was not begun.
    @Test func aWorkerThatDiesAmongShortTasksLosesThatOneOnly() async throws {
        try await withExecutor(warm) { executor async throws in
            for _ in 0..<10 {
                let before = try (0..<400).map { try executor.submit(Square(number: $0)) }
                let crash = try executor.submit(Crash(way: .signal(SIGKILL)))
                let behind = try (0..<400).map { try executor.submit(Square(number: $0)) }
                for (number, handle) in (before + behind).enumerated() {
                    #expect(try await handle.value == (number % 400) * (number % 400))
                }
                guard case .failure(let error) = await crash.result else { throw Unexpected(text: "it did not crash") }
                #expect(error.code == .lost)
            }
        }
    }

    @Test func aTrapIsLostWithWhatTheRuntimeSaid() async throws {
        var configuration = fresh
        configuration.environment = ["SWIFT_BACKTRACE": "enable=no"]
        try await withExecutor(configuration) { executor async throws in
            for way in [Crash.Way.trap, .outOfBounds] {
                let error = try await failure(executor, Crash(way: way))
                #expect(error.code == .lost)
                #expect(error.signal == SIGILL || error.signal == SIGTRAP)
                #expect(error.errorOutput.contains("Fatal error"))
            }
        }
    }

    @Test(arguments: [fresh, warm]) func theReasonOfATrapIsKeptBeforeALongBacktrace(
        _ configuration: ExecutorConfiguration
    ) async throws {
        try await withExecutor(configuration) { executor async throws in
            let error = try await failure(executor, Crash(way: .verbose))
            #expect(error.errorOutput.hasPrefix("Main.swift:1: Fatal error: the reason\n…\n"))
            #expect(error.errorOutput.hasSuffix("frame\n"))
        }
    }

    @Test(arguments: [fresh, warm]) func whatCannotBeEncodedOrDecodedSaysSo(_ configuration: ExecutorConfiguration) async throws {
        try await withExecutor(configuration) { executor async throws in
            let value = try await failure(executor, WithoutValue())
            #expect(value.code == .undecodable)
            #expect(value.description == "Value cannot be encoded: never")
            let arguments = try await failure(executor, Unreadable(number: 3))
            #expect(arguments.code == .undecodable)
            #expect(arguments.description == "Unreadable cannot be decoded: there is no value for the key other")
            let atSubmission = try #require(throws: TaskError.self) {
                try executor.submit(Generic(value: WithoutValue.Value()))
            }
            #expect(atSubmission.code == .undecodable)
        }
    }

    @Test(arguments: [fresh, warm]) func aLimitOfTimeEndsTheTask(_ configuration: ExecutorConfiguration) async throws {
        try await withExecutor(configuration) { executor async throws in
            let error = try await failure(
                executor, Sleeper(), resources: ResourceRequest(timeLimit: .milliseconds(200)))
            #expect(error.code == .timeLimit)
            #expect(error.description == "the task ran longer than its limit of 0.2 s")
            #expect(try await executor.run(Square(number: 2)) == 4)
        }
    }

    @Test func aTaskThatMayBeRestartedIs() async throws {
        try await withDirectory { directory in
            try await withExecutor(fresh) { executor async throws in
                let mark = directory.appending(path: "mark").path
                #expect(try await executor.run(DiesOnce(mark: mark), resources: ResourceRequest(restartLimit: 1)) == 2)
            }
        }
    }

    @Test func requestsThatMakeNoSenseAreRefusedAtTheCall() async throws {
        try await withExecutor(fresh) { executor async throws in
            for (request, text) in [
                (ResourceRequest(threadsPerCore: 0), "threadsPerCore is 0"),
                (ResourceRequest(threadsPerCore: 3), "the task asks for 3 cores, the executor has 2"),
                (ResourceRequest(timeLimit: .zero), "timeLimit is"),
                (ResourceRequest(restartLimit: -1), "restartLimit is -1"),
                (ResourceRequest(cores: .max, threadsPerCore: 2), "cores with 2 threads each; nothing has so many"),
                (ResourceRequest(cores: 2, gpusPerCore: .max), "GPUs; nothing has so many"),
            ] {
                let error = try #require(throws: TaskError.self) {
                    try executor.submit(Square(number: 1), resources: request)
                }
                #expect(error.code == .refused)
                #expect(error.description.contains(text))
            }
        }
        for configuration in [
            ExecutorConfiguration.singleNode(maxCores: 0), .singleNode(maxWorkers: 0), .singleNode(restartLimit: -1),
            .singleNode(environment: ["A=B": ""]), .singleNode(program: "/no/such/program"),
            .singleNode(mode: .warm, resources: ResourceRequest(cores: .max, threadsPerCore: 2)),
        ] {
            await #expect(throws: TaskError.self) { try await withExecutor(configuration) { _ in } }
        }
    }

    @Test func aLimitOfMemoryThatWarmWorkersDoNotHaveIsRefusedAtTheCall() async throws {
        let request = ResourceRequest(memory: 200 << 20)
        try await withExecutor(warm) { executor async throws in
            for submit in [
                { _ = try executor.submit(Square(number: 1), resources: request) },
                { _ = try executor.submit(Command("true"), resources: request) },
            ] {
                let error = try #require(throws: TaskError.self) { try submit() }
                #expect(error.code == .refused)
                #expect(error.description.contains("memory in the resources of the configuration, or use mode .fresh"))
            }
        }
        var limited = warm
        limited.resources = ResourceRequest(memory: 300 << 20)
        try await withExecutor(limited) { executor async throws in
            #expect(try await executor.run(Square(number: 2), resources: request) == 4)
            let error = try #require(throws: TaskError.self) {
                try executor.submit(Square(number: 1), resources: ResourceRequest(memory: 400 << 20))
            }
            #expect(error.description.contains("each warm worker has 314572800"))
        }
        #expect(try await withExecutor(fresh) { try await $0.run(Square(number: 3), resources: request) } == 9)
    }

    @Test(arguments: [false, true])
    func aProgramThatWasReplacedIsToldFromTheOneSubmittedWith(_ isWarm: Bool) async throws {
        try await withDirectory { directory in
            let copy = directory.appending(path: "worker")
            // By another process: no process that a test starts meanwhile can hold the file open for writing.
            _ = try run("/bin/cp", program, copy.path)
            var configuration = fresh
            configuration.mode = isWarm ? .warm : .fresh
            configuration.maxWorkers = 1
            configuration.program = copy.path
            try await withExecutor(configuration) { executor async throws in
                #expect(try await executor.run(Square(number: 3)) == 9)
                let replace = "rm $1 && cp $0 $1.new && echo >> $1.new && mv $1.new $1"
                #expect(try run("/bin/sh", "-c", replace, program, copy.path).status == 0)
                if isWarm { _ = try await failure(executor, Crash(way: .exit(1))) }
                let error = try await failure(executor, Square(number: 3))
                #expect(error.code == .refused)
                #expect(error.description.contains("it was rebuilt or replaced meanwhile"))
            }
        }
    }

    @Test func anExecutorThatHasEndedTakesNoTasks() async throws {
        let escaped = try await withExecutor(warm) { $0 }
        let error = try #require(throws: TaskError.self) { try escaped.submit(Square(number: 1)) }
        #expect(error.code == .engineEnded)
    }
}
