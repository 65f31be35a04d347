// SPDX-License-Identifier: BSD-3-Clause
import Swiftlet
import Testing

@testable import TestProgram

/// Executors that tasks make.
@Suite(.timeLimit(.minutes(2))) struct NestedTests {
    private var outer: ExecutorConfiguration {
        var outer = ExecutorConfiguration.singleNode(maxCores: 4, program: program)
        outer.environment = ["CUDA_VISIBLE_DEVICES": "a,b,c,d"]
        return outer
    }

    private func said(_ task: Confined, _ request: ResourceRequest) async throws -> [String] {
        try await withExecutor(outer) { try await $0.run(task, resources: request) }
    }

    @Test func theyHaveTheCoresOfTheirTask() async throws {
        let said = try await said(
            Confined(
                configurations: [.init(cores: 2), .init(cores: 3), .init(workers: 2), .init(workers: 3)],
                requests: [.init(cores: 1), .init(cores: 3)]),
            ResourceRequest(threadsPerCore: 2))
        #expect(
            said[..<4] == [
                "4",
                "maxCores is 3, but the task in which the executor is made has 2: give the task more, or ask for fewer",
                "4",
                "3 warm workers of 1 cores are more than the 2 cores of the task in which the executor is made: give the task more, or "
                    + "ask for fewer",
            ])
        #expect(said[4] == "4")
        #expect(said[5].hasPrefix("the task asks for 3 cores, the executor has "))
    }

    @Test func theyHaveTheMemoryOfTheirTask() async throws {
        let said = try await said(
            Confined(configurations: [], requests: [.init(memory: 300 << 20), .init(memory: 900 << 20)]),
            ResourceRequest(memory: 600 << 20))
        #expect(said[0] == "4")
        #expect(
            said[1].hasPrefix(
                "the task asks for 943718400 bytes of memory, the task in which its executor was made has 629145600"))
    }

    @Test func theyHaveTheGPUsOfTheirTask() async throws {
        let wishes = Confined(configurations: [], requests: [.init(gpus: 2), .init(gpus: 3)])
        let two = try await said(wishes, ResourceRequest(gpusPerCore: 2))
        #expect(two[0] == "4")
        #expect(two[1].contains("asks for 3 GPUs") && two[1].hasSuffix("names 2"))
        let none = try await said(wishes, ResourceRequest())
        #expect(none[0].hasSuffix("names 0"))
    }

    @Test(arguments: [WorkerMode.fresh, .warm]) func whatTheirTasksThrowIsTheCause(_ mode: WorkerMode) async throws {
        try await withExecutor(.singleNode(maxWorkers: 2, mode: mode, program: program)) { executor async throws in
            let thrown = try await failure(executor, Delegated(end: .thrown, depth: 2))
            #expect(Delegated.chain(thrown) == Delegated.expectedOfThrown)
            let killed = try await failure(executor, Delegated(end: .killed))
            #expect(Delegated.chain(killed) == Delegated.expectedOfKilled)
            let inner = try #require(killed.cause as? TaskError)
            #expect(inner.description == killed.description && inner.errorOutput.contains("about to crash"))
            #expect(inner.processID != killed.processID && inner.host == killed.host && inner.attempts.count == 1)
            let part = try executor.submit(Delegated(end: .thrown))
            let needs = try await failure(executor, Total(parts: [Input(part)]))
            #expect(Delegated.chain(needs) == ["inputFailed of TaskError"] + Delegated.expectedOfThrown.suffix(2))
        }
    }

    @Test func aRankHasItsShare() async throws {
        let wishes = Confined(configurations: [.init(cores: 2), .init(cores: 3)], requests: [.init(gpus: 1), .init(gpus: 2)])
        let request = ResourceRequest(cores: 2, threadsPerCore: 2, gpusPerCore: 1)
        let ranks = try await withExecutor(outer) { try await $0.submitToRanks(wishes, resources: request).value }
        for said in ranks {
            #expect(said[0] == "4")
            #expect(said[1].hasPrefix("maxCores is 3, but the task in which the executor is made has 2"))
            #expect(said[2] == "4")
            #expect(said[3].hasSuffix("names 1"))
        }
    }
}
