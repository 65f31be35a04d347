// SPDX-License-Identifier: BSD-3-Clause
import Foundation
import Swiftlet
import Testing

@testable import TestProgram

@Suite struct TaskTests {
    @Test(arguments: [fresh, warm]) func valuesComeBackOfEveryKindOfType(_ configuration: ExecutorConfiguration) async throws {
        try await withExecutor(configuration) { executor async throws in
            #expect(try await executor.run(Square(number: 9)) == 81)
            #expect(try await executor.run(Generic(value: [1.5, .infinity])) == [[1.5, .infinity], [1.5, .infinity]])
            #expect(try await executor.run(Outer.Nested(text: "Grüße")) == "GRÜSSE")
            #expect(try await executor.run(Outer.Nested(text: "")) == nil)
            #expect(try await executor.run([String].Counted()) == "String")
            #expect(try await executor.run(Reference(factor: 0)).isNaN)
        }
    }

    @Test func aTypeThatNoWorkerCanFindIsRefusedAtSubmission() async throws {
        struct Local: RemoteTask {
            func run() async throws -> Int { 0 }
        }
        try await withExecutor(fresh) { executor async throws in
            for submit in [{ _ = try executor.submit(Local()) }, { try submitHidden(executor) }] {
                let error = try #require(throws: TaskError.self) { try submit() }
                #expect(error.code == .refused)
                #expect(error.description.contains("make it internal or public, outside of functions"))
            }
        }
    }

    @Test func freshTasksHaveAProcessEachAndWarmOnesShareThem() async throws {
        let ofFresh = try await withExecutor(fresh) { executor async throws in
            let handles = try (0..<4).map { _ in try executor.submit(Where()) }
            return try await handles.asyncMap { try await $0.value }
        }
        #expect(Set(ofFresh.map(\.process)).count == 4)
        #expect(ofFresh.allSatisfy { $0.index == nil && $0.attempt == 1 })
        let ofWarm = try await withExecutor(warm) { executor async throws in
            let handles = try (0..<20).map { _ in try executor.submit(Where()) }
            return try await handles.asyncMap { try await $0.value }
        }
        #expect(Set(ofWarm.map(\.process)).count <= 2)
        #expect(Set(ofWarm.map(\.index)).isSubset(of: [0, 1]))
    }

    @Test(arguments: ["fresh", "warm"]) func aRelativeDirectoryBeginsWhereTheProgramIsWhenItSubmits(_ mode: String) async throws {
        try await withDirectory { directory async throws in
            let expected = mode == "warm" ? DirectoryScenario.expected.dropLast() : DirectoryScenario.expected[...]
            #expect(try run("TestProgram", "directories-\(mode)", directory.path).lines == Array(expected))
        }
    }

    @Test(arguments: [fresh, warm]) func aTaskRunsInItsDirectory(_ configuration: ExecutorConfiguration) async throws {
        try await withDirectory { directory in
            let path = directory.resolvingSymlinksInPath().path
            try await withExecutor(configuration) { executor async throws in
                let there = try await executor.run(Where(), resources: ResourceRequest(workingDirectory: path))
                #expect(there.directory == path)
                #expect(try await executor.run(Where()).directory == FileManager.default.currentDirectoryPath)
                let error = try await failure(executor, Where(), resources: ResourceRequest(workingDirectory: path + "/none"))
                #expect(error.code == .refused)
                #expect(error.description.contains("No such file or directory"))
            }
        }
    }

    @Test func workersHaveTheEnvironmentOfTheExecutor() async throws {
        var configuration = fresh
        configuration.environment = ["SWIFTLET_TEST_VARIABLE": "a=b"]
        let place = try await withExecutor(configuration) { try await $0.run(Where()) }
        #expect(place.variable == "a=b")
    }

    @Test func preparedStateIsThereForEveryTask() async throws {
        var configuration = warm
        configuration.mode = .warm(preparing: Table(size: 100))
        try await withExecutor(configuration) { executor async throws in
            for index in [3, 99] { #expect(try await executor.run(Lookup(index: index)) == 2 * index) }
        }
    }

    @Test func aPreparationThatFailsIsTheReasonOfEveryTask() async throws {
        var configuration = warm
        configuration.mode = .warm(preparing: Table(size: -1))
        let error = try await withExecutor(configuration) { try await failure($0, Lookup(index: 0)) }
        #expect(error.code == .refused)
        #expect(error.cause as? OutOfRange == OutOfRange(number: -1))
    }

    @Test func stateThatWasNotPreparedIsAnErrorThatSaysHow() async throws {
        let error = try await withExecutor(warm) { try await failure($0, Lookup(index: 0)) }
        #expect(error.description.contains(".warm(preparing: Table(…))"))
    }

    @Test func stateIsThatOfThePreparationThatIsNamed() async throws {
        var configuration = warm
        configuration.mode = .warm(preparing: Table(size: 100))
        let error = try await withExecutor(configuration) { try await failure($0, OtherLookup()) }
        #expect(error.code == .refused)
        #expect(error.description.contains(".warm(preparing: OtherTable(…))"))
    }

    @Test func aTaskMayHaveAnExecutorOfItsOwn() async throws {
        #expect(try await withExecutor(fresh) { try await $0.run(Delegates()) } == 144)
    }

    @Test func aLargeValueArrivesWhole() async throws {
        let numbers = try await withExecutor(warm) { try await $0.run(Numbers(count: 4_000_000)) }
        #expect(numbers.count == 4_000_000)
        #expect(numbers.last == 3_999_999)
    }
}

extension Sequence {
    func asyncMap<T>(_ transform: (Element) async throws -> T) async rethrows -> [T] {
        var values: [T] = []
        for element in self { values.append(try await transform(element)) }
        return values
    }
}
