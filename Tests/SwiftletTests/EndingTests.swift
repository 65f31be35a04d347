// SPDX-License-Identifier: BSD-3-Clause
import Foundation
import Swiftlet
import Testing

@testable import TestProgram

/// What the same program says on Slurm is held against the same lines (python/tests/slurm/test_swift_endings.py).
@Suite struct EndingTests {
    private func quiet(_ configuration: ExecutorConfiguration) -> ExecutorConfiguration {
        var configuration = configuration
        configuration.environment = ["SWIFT_BACKTRACE": "enable=no"]
        return configuration
    }

    @Test(.timeLimit(.minutes(2)), arguments: [fresh, warm])
    func tasksThatEndBadlySayHow(_ configuration: ExecutorConfiguration) async throws {
        try await withExecutor(quiet(configuration)) { executor async throws in
            let ends = try await Endings.ofTasks(executor)
            #expect(ends.count == Endings.expectedOfTasks.count)
            for (end, expected) in zip(ends, Endings.expectedOfTasks) { #expect(end == expected) }
        }
    }

    @Test(.timeLimit(.minutes(2)), arguments: [WorkerMode.fresh, .warm])
    func ranksThatEndBadlySayHow(mode: WorkerMode) async throws {
        let group = ResourceRequest(cores: 2)
        let configuration = ExecutorConfiguration.singleNode(maxCores: 2, mode: mode, resources: group, program: program)
        try await withExecutor(quiet(configuration)) { executor async throws in
            let ends = try await Endings.ofRanks(executor, group)
            #expect(ends.count == Endings.expectedOfRanks.count)
            for (end, expected) in zip(ends, Endings.expectedOfRanks) { #expect(end == expected) }
        }
    }

    @Test(.timeLimit(.minutes(2)), arguments: [fresh, warm])
    func aValueLargerThanTheMemoryOfTheTaskEndsIt(_ configuration: ExecutorConfiguration) async throws {
        var configuration = configuration
        configuration.resources.memory = 128 << 20
        try await withExecutor(configuration) { executor async throws in
            let error = try await failure(executor, Hungry(size: 512 << 20))
            #expect(error.code == .lost)
            #expect(error.description.hasPrefix("the worker that ran the task used "))
            #expect(error.description.hasSuffix(" MB of memory, more than the 128 MB of its request's memory, and was ended"))
            #expect(try await executor.run(Square(number: 4)) == 16)
        }
    }

    @Test(.timeLimit(.minutes(2)), arguments: [false, true])
    func aProgramThatIsGoneSaysSo(isWarm: Bool) async throws {
        try await withDirectory { directory in
            let copy = directory.appending(path: "worker")
            _ = try run("/bin/cp", program, copy.path)
            var configuration = isWarm ? warm : fresh
            configuration.maxWorkers = 1
            configuration.program = copy.path
            try await withExecutor(configuration) { executor async throws in
                #expect(try await executor.run(Square(number: 3)) == 9)
                try FileManager.default.removeItem(at: copy)
                if isWarm { _ = try await failure(executor, Crash(way: .exit(1))) }
                let error = try await failure(executor, Square(number: 3))
                #expect(error.description.contains(copy.path))
                #expect(error.description.contains("No such file"))
            }
        }
    }
}
