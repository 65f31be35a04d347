// SPDX-License-Identifier: BSD-3-Clause
import Foundation
import Swiftlet
import Testing

@testable import TestProgram

/// Fresh workers that are forked from a copy of the program (docs/decisions/0017-forks-of-a-loaded-program.md).
@Suite struct ForkTests {
    private var alone: ExecutorConfiguration {
        var configuration = fresh
        configuration.maxCores = 1
        configuration.environment = ["SWIFT_BACKTRACE": "enable=no", "BIRTH": "here"]
        return configuration
    }

    /// Calls until two in a row come from one copy; both of them.
    private func forked(_ executor: Executor, _ resources: ResourceRequest? = nil) async throws -> [Birth.Facts] {
        var last = try await executor.run(Birth(), resources: resources)
        for _ in 0..<500 {
            let next = try await executor.run(Birth(), resources: resources)
            if next.place == last.place { return [last, next] }
            last = next
        }
        throw Unexpected(text: "500 calls, and no two of them were forked from one copy")
    }

    @Test(.timeLimit(.minutes(2))) func aForkedWorkerIsLikeAnyOther() async throws {
        try await withExecutor(alone) { executor async throws in
            let first = try await executor.run(Birth())  // is none
            let workers = try await forked(executor)
            #expect(workers[0].process != workers[1].process)
            for worker in workers {
                #expect(worker.place != first.place)
                #expect(worker.parent == first.parent)
                #expect(worker.session == worker.process)
                #expect(worker.group == worker.process)
                #expect(worker.arguments == first.arguments)
                #expect(worker.directory == first.directory)
                #expect(worker.cores == first.cores)
                #expect(worker.threads[0] == worker.threads[1])
                #expect(worker.descriptors == first.descriptors)
                #expect(worker.environment["BIRTH"] == "here")
                #expect(Set(worker.environment.keys) == Set(first.environment.keys))
                // In a program that is linked statically Swift's runtime finds the arguments by it.
                #expect(worker.isEnvironmentInPlace)
            }
            #expect(workers[0].environment["SWIFTLET_SLOT"] != workers[1].environment["SWIFTLET_SLOT"])
        }
    }

    @Test(.timeLimit(.minutes(2))) func whatLibrariesReadWhenTheyAreLoadedIsOfTheCall() async throws {
        let threads = ResourceRequest(threadsPerCore: 2)
        try await withExecutor(.singleNode(maxCores: 2, program: program)) { executor async throws in
            let one = try await forked(executor)[1]
            // Another environment: it comes from no copy made for the other one.
            let other = try await executor.run(Birth(), resources: threads)
            #expect(other.environment["OMP_NUM_THREADS"] == "2")
            #expect(other.place != one.place)
            let many = try await forked(executor, threads)[1]
            #expect(many.environment["OMP_NUM_THREADS"] == "2")
            #expect(many.place != one.place)
        }
    }

    @Test(.timeLimit(.minutes(2))) func endsOfForkedWorkersAreTheirOwn() async throws {
        try await withExecutor(alone) { executor async throws in
            _ = try await forked(executor)
            let ends = try await Endings.ofTasks(executor)
            #expect(ends == Endings.expectedOfTasks)
        }
    }

    @Test(.timeLimit(.minutes(2))) func theEndOfTheCopyIsNotTheEnd() async throws {
        try await withExecutor(alone) { executor async throws in
            let before = try await forked(executor)[1]
            // Its children show the same environment there; it is the first of them.
            let copy = try #require(try copies(under: before.parent).min())
            #expect(copy < before.process)
            kill(copy, SIGKILL)
            // A call that reaches a copy which is just ending is not given to another one.
            while try isRunning(copy) { try await Task.sleep(for: .milliseconds(1)) }
            #expect(try await executor.run(Square(number: 3)) == 9)
            #expect(try await forked(executor)[1].place != before.place)
        }
    }

    private func isRunning(_ process: pid_t) throws -> Bool {
        guard let stat = try? String(contentsOfFile: "/proc/\(process)/stat", encoding: .utf8) else { return false }
        return try #require(stat.split(separator: ")").last).split(separator: " ").first != "Z"
    }

    private func copies(under guardian: pid_t) throws -> [pid_t] {
        let threads = try FileManager.default.contentsOfDirectory(atPath: "/proc/\(guardian)/task")
        let children = try threads.flatMap { thread in
            try String(contentsOfFile: "/proc/\(guardian)/task/\(thread)/children", encoding: .utf8).split(separator: " ")
        }
        return children.compactMap { pid_t($0) }.filter { process in
            let environment = try? Data(contentsOf: URL(filePath: "/proc/\(process)/environ"))
            return environment.map { String(decoding: $0, as: UTF8.self).contains("SWIFTLET_FORK_SERVER=1") } ?? false
        }
    }
}
