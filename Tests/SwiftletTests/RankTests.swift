// SPDX-License-Identifier: BSD-3-Clause
import Foundation
import Swiftlet
import Testing

@testable import TestProgram

@Suite struct RankTests {
    private let group = ResourceRequest(cores: 3)
    private let three = ExecutorConfiguration.singleNode(maxCores: 3, program: program)

    @Test(arguments: [WorkerMode.fresh, .warm])
    func ranksKnowTheirNumber(mode: WorkerMode) async throws {
        var configuration = ExecutorConfiguration.singleNode(maxCores: 3, mode: mode, program: program)
        configuration.resources = ResourceRequest(cores: 3)
        try await withExecutor(configuration) { executor in
            for _ in 0..<3 {
                let names = try await executor.submitToRanks(RankName()).value
                #expect(names == ["0/3", "1/3", "2/3"])
                let first = try await executor.run(RankName())
                #expect(first == "0/3")
            }
        }
    }

    @Test func valuesOfAnyTypeComeByRank() async throws {
        try await withExecutor(three) { executor in
            let numbers = try executor.submit(Numbers(count: 4))
            let sums = try executor.submitToRanks(Sum(numbers: Input(numbers)), resources: group)
            #expect(try await sums.value == [6, 6, 6])
            let arrays = try await executor.submitToRanks(Numbers(count: 2), resources: group).value
            #expect(arrays == [[0, 1], [0, 1], [0, 1]])
            let bytes = try await executor.submitToRanks(RankByte(), resources: group).value
            #expect(bytes == [0, 1, 2])
            let single = try await executor.submitToRanks(RankByte()).value
            #expect(single == [0])
        }
    }

    @Test(.timeLimit(.minutes(2)), arguments: [0, 2])
    func theErrorOfARankEndsTheGroup(rank: Int) async throws {
        try await withExecutor(three) { executor in
            let error = try await failure(executor, RankName(failing: rank), resources: group)
            #expect(error.code == .failed)
            #expect(error.cause as? OutOfRange == OutOfRange(number: rank))
        }
    }

    @Test(.timeLimit(.minutes(2)), arguments: [0, 1])
    func theDeathOfARankIsThatOfTheGroup(rank: Int) async throws {
        try await withExecutor(.singleNode(maxWorkers: 1, mode: .warm, resources: group, program: program)) { executor in
            let error = try await failure(executor, RankName(dying: rank))
            #expect(error.code == .lost)
            #expect(error.signal == SIGKILL)
            if rank > 0 { #expect(error.errorOutput.contains("rank 1 of 3 was ended by signal 9 (SIGKILL)")) }
            let names = try await executor.submitToRanks(RankName()).value
            #expect(names == ["0/3", "1/3", "2/3"])
        }
    }

    @Test func ranksPrepareEachForItself() async throws {
        let mode = WorkerMode.warm(preparing: Table(size: 5))
        try await withExecutor(.singleNode(maxWorkers: 1, mode: mode, resources: group, program: program)) { executor in
            let values = try await executor.submitToRanks(Lookup(index: 4)).value
            #expect(values == [8, 8, 8])
        }
    }

    @Test func whatARankStartsIsNoRank() async throws {
        try await withExecutor(three) { executor in
            let squares = try await executor.submitToRanks(Delegates(), resources: group).value
            #expect(squares == [144, 144, 144])
        }
    }

    @Test func gpusAreSharedOut() async throws {
        var configuration = three
        configuration.environment = ["CUDA_VISIBLE_DEVICES": "GPU-a,GPU-b,2,3"]
        try await withExecutor(configuration) { executor in
            let request = ResourceRequest(cores: 2, gpusPerCore: 2)
            let seen = try await executor.submitToRanks(Place(), resources: request).value.map(\.gpus)
            #expect(seen == ["GPU-a,GPU-b", "2,3"])
            let some = try await executor.submitToRanks(Place(), resources: ResourceRequest(cores: 2, gpusPerCore: 1)).value.map(
                \.gpus)
            #expect(some == ["GPU-a", "GPU-b"])
            let command = try await executor.run(
                "sh", arguments: ["-c", "printf $CUDA_VISIBLE_DEVICES"], resources: ResourceRequest(cores: 2, gpusPerCore: 1))
            #expect(command.standardOutput == "GPU-a,GPU-b")
            let gpu = try await executor.run(Place(), resources: ResourceRequest(gpusPerCore: 1)).gpus
            #expect(gpu == "GPU-a")
            let none = try await executor.run(Place()).gpus
            #expect(none == "")
            let error = #expect(throws: TaskError.self) {
                try executor.submit(Place(), resources: ResourceRequest(cores: 3, gpusPerCore: 2))
            }
            #expect(error?.description == "the task asks for 6 GPUs, CUDA_VISIBLE_DEVICES (or ROCR_VISIBLE_DEVICES) names 4")
        }
    }

    @Test(arguments: [
        ResourceRequest(cores: 0), ResourceRequest(gpusPerCore: -1), ResourceRequest(memory: 0), ResourceRequest(cores: 4),
        ResourceRequest(isStep: true), ResourceRequest(launcherArguments: ["-v"]), ResourceRequest(gpusPerCore: 1),
    ])
    func whatCannotBeHadIsRefused(request: ResourceRequest) async throws {
        try await withExecutor(three) { executor in
            let error = #expect(throws: TaskError.self) { try executor.submit(RankName(), resources: request) }
            #expect(error?.code == .refused)
        }
    }
}
