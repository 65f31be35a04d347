// SPDX-License-Identifier: BSD-3-Clause
import Foundation
import Swiftlet
import Testing

@testable import TestProgram

/// What is said at once, in the words of this library.
@Suite(.timeLimit(.minutes(2))) struct RefusalTests {
    @Test func aCacheDirectoryThatIsNoneIsRefused() async throws {
        try await withDirectory { directory in
            let file = directory.appending(path: "file")
            try Data().write(to: file)
            for (path, text) in [
                (file.path, "is no directory"), (file.appending(path: "below").path, "cannot be made: Not a directory"),
            ] {
                var configuration = fresh
                configuration.cacheDirectory = path
                let error = await #expect(throws: TaskError.self) { try await withExecutor(configuration) { _ in } }
                #expect(error?.code == .refused)
                #expect(error?.description.contains("the cache directory \(path) \(text)") == true)
            }
        }
    }

    @Test(arguments: [fresh, warm]) func aZeroByteIsRefusedWithWhatContainsIt(_ configuration: ExecutorConfiguration) async throws
    {
        try await withExecutor(configuration) { executor async throws in
            for (command, text) in [
                (Command("tr\0ue"), "the program of the command"),
                (Command("true", arguments: ["a", "b\0c"]), "argument 1 of the command true"),
                (Command("true", environment: ["KEY": "b\0c"]), "the environment variable KEY of the command true"),
                (Command("true", workingDirectory: "/tmp\0/x"), "workingDirectory of the command true"),
                (Command("true", standardOutput: .file("a\0b")), "standardOutput of the command true"),
            ] {
                let error = #expect(throws: TaskError.self) { try executor.submit(command) }
                #expect(error?.code == .refused)
                #expect(error?.description.hasPrefix(text) == true)
                #expect(error?.description.hasSuffix("contains a zero byte") == true)
            }
            let error = #expect(throws: TaskError.self) {
                try executor.submit(Square(number: 1), resources: ResourceRequest(workingDirectory: "/tmp\0/x"))
            }
            #expect(error?.description == "workingDirectory contains a zero byte")
        }
        var wrong = configuration
        wrong.environment = ["KEY": "b\0c"]
        let error = await #expect(throws: TaskError.self) { try await withExecutor(wrong) { _ in } }
        #expect(error?.description == "the environment variable KEY of the executor contains a zero byte")
    }

    @Test func aPreparationThatHangsIsEnded() async throws {
        let mode = WorkerMode.warm(preparing: Stuck(), within: .milliseconds(300))
        try await withExecutor(.singleNode(maxWorkers: 2, mode: mode, program: program)) { executor in
            let error = try await failure(executor, Square(number: 2))
            #expect(error.code == .refused)
            #expect(error.description == "prepare() has taken longer than 0.3 s: allow it more with .warm(preparing:within:)")
        }
    }

    @Test func aPreparationThatFailsIsToldInSwiftsWords() async throws {
        let mode = WorkerMode.warm(preparing: Table(size: -1))
        try await withExecutor(.singleNode(maxWorkers: 1, mode: mode, program: program)) { executor in
            let error = try await failure(executor, Square(number: 2))
            #expect(error.description == "prepare() failed: OutOfRange(number: -1)")
        }
    }

    @Test func memoryIsToldInSwiftsWordsForEachAttempt() async throws {
        var configuration = fresh
        configuration.resources.memory = 64 << 20
        try await withExecutor(configuration) { executor async throws in
            let error = try await failure(executor, Hungry(size: 256 << 20))
            #expect(error.attempts.count == 1)
            #expect(error.attempts.first?.hasSuffix("MB of memory, more than the 64 MB it may use, and was ended") == true)
        }
    }
}
