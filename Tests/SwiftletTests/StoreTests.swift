// SPDX-License-Identifier: BSD-3-Clause
import Foundation
import Swiftlet
import Testing

@testable import TestProgram

@Suite struct StoreTests {
    private func executor(_ directory: URL, mode: WorkerMode = .fresh) -> ExecutorConfiguration {
        var configuration = ExecutorConfiguration.singleNode(maxCores: 2, mode: mode, program: program)
        configuration.cacheDirectory = directory.appending(path: "cache").path
        return configuration
    }

    private func runs(in directory: URL) -> Int {
        (try? Data(contentsOf: directory.appending(path: "ran")).count) ?? 0
    }

    @Test(arguments: [WorkerMode.fresh, .warm])
    func equalTasksRunOnceAndAreFoundAgain(mode: WorkerMode) async throws {
        try await withDirectory { directory in
            let key = CacheKey("marked")
            let members = Dictionary(uniqueKeysWithValues: (0..<40).map { ("member \($0)", $0) })
            for _ in 0..<2 {
                try await withExecutor(executor(directory, mode: mode)) { executor in
                    // A dictionary that was made in another order has its members in another one.
                    let names = Dictionary(uniqueKeysWithValues: members.map { (Name(rawValue: $0.key), $0.value) })
                    let task = Marked(directory: directory.path, number: 7, table: members, names: names)
                    let other = Marked(
                        directory: directory.path, number: 7,
                        table: Dictionary(uniqueKeysWithValues: members.sorted { $0.key > $1.key }),
                        names: Dictionary(uniqueKeysWithValues: names.sorted { $0.key.rawValue > $1.key.rawValue }))
                    let handles = [try executor.submit(task, cacheKey: key), try executor.submit(other, cacheKey: key)]
                    for handle in handles {
                        let value = try await handle.value
                        #expect(value == 787)
                    }
                }
            }
            #expect(runs(in: directory) == 1)
        }
    }

    @Test func whatDiffersHasAKeyOfItsOwn() async throws {
        try await withDirectory { directory in
            try await withExecutor(executor(directory)) { executor in
                let keys = [CacheKey("a"), CacheKey("a", version: 2), CacheKey("b")]
                for key in keys { _ = try await executor.run(Marked(directory: directory.path), cacheKey: key) }
                _ = try await executor.run(Marked(directory: directory.path, number: 1), cacheKey: keys[0])
                _ = try await executor.submitToRanks(Marked(directory: directory.path), cacheKey: keys[0]).value
                _ = try await executor.run(Marked(directory: directory.path), cacheKey: keys[0])
            }
            #expect(runs(in: directory) == 5)
        }
    }

    @Test func inputsArePartOfTheKey() async throws {
        try await withDirectory { directory in
            for number in [1, 2, 1] {
                try await withExecutor(executor(directory)) { executor in
                    let part = try executor.submit(Marked(directory: directory.path, number: number), cacheKey: CacheKey("part"))
                    let total = try executor.submit(MarkedTotal(parts: [Input(part), Input(10)]), cacheKey: CacheKey("total"))
                    let value = try await total.value
                    #expect(value == number + 10)
                }
            }
            #expect(runs(in: directory) == 2)
        }
    }

    @Test func anErrorIsNoHit() async throws {
        try await withDirectory { directory in
            for _ in 0..<2 {
                try await withExecutor(executor(directory)) { executor in
                    let handle = try executor.submit(Marked(directory: directory.path, number: -1), cacheKey: CacheKey("fails"))
                    let error = await #expect(throws: TaskError.self) { try await handle.value }
                    #expect(error?.cause as? OutOfRange == OutOfRange(number: -1))
                }
            }
            #expect(runs(in: directory) == 2)
        }
    }

    @Test func aProgramIsRunOnce() async throws {
        try await withDirectory { directory in
            let command = Command("sh", arguments: ["-c", "echo $((6*7)); echo x >>ran"], workingDirectory: directory.path)
            for _ in 0..<2 {
                try await withExecutor(executor(directory)) { executor in
                    let result = try await executor.run(command, cacheKey: CacheKey("command"))
                    #expect(result.standardOutput == "42\n")
                }
            }
            #expect(runs(in: directory) == 2)  // "x\n"
        }
    }

    /// Values of this size are read into shared memory, which a worker of a program cannot map.
    @Test func largeValuesThatWereFoundAreInputs() async throws {
        try await withDirectory { directory in
            for _ in 0..<2 {
                try await withExecutor(executor(directory)) { executor in
                    let numbers = try executor.submit(Numbers(count: 700_000), cacheKey: CacheKey("numbers"))
                    let sum = try await executor.run(Sum(numbers: Input(numbers)))
                    #expect(sum == 700_000 * 699_999 / 2)
                }
            }
        }
    }

    @Test func whatCanHaveNoKeyIsRefused() async throws {
        try await withDirectory { directory in
            try await withExecutor(executor(directory)) { executor in
                let loose = try executor.submit(Square(number: 2))
                #expect(throws: TaskError.self) {
                    try executor.submit(MarkedTotal(parts: [Input(loose)]), cacheKey: CacheKey("total"))
                }
                for name in ["", "../up", ".hidden", "two words", String(repeating: "a", count: 101)] {
                    #expect(throws: TaskError.self) { try executor.submit(Square(number: 2), cacheKey: CacheKey(name)) }
                }
            }
            try await withExecutor(fresh) { executor in
                #expect(throws: TaskError.self) { try executor.submit(Square(number: 2), cacheKey: CacheKey("a")) }
                let error = await #expect(throws: TaskError.self) { try await executor.leave() }
                #expect(error?.code == .refused)
            }
        }
    }

    @Test func valuesOfMapsAndProgramsAreKept() async throws {
        try await withDirectory { directory in
            var configuration = fresh
            configuration.cacheDirectory = directory.appending(path: "cache").path
            let file = directory.appending(path: "runs").path
            for _ in 0..<2 {
                try await withExecutor(configuration) { executor async throws in
                    var values: [Int] = []
                    let numbers = executor.map(0..<5, cacheKey: { $0 == 4 ? nil : CacheKey("counted") }) {
                        Counted(number: $0, file: file)
                    }
                    for try await value in numbers { values.append(value) }
                    #expect(values == [0, 1, 2, 3, 4])
                    let said = try await executor.run(
                        "sh", arguments: ["-c", "printf + >> '\(file)'; echo done"], cacheKey: CacheKey("shell"))
                    #expect(said.standardOutput == "done\n")
                }
            }
            let runs = try String(contentsOfFile: file, encoding: .utf8)
            #expect(runs.filter { $0 == "." }.count == 6)
            #expect(runs.filter { $0 == "+" }.count == 1)
        }
    }
}
