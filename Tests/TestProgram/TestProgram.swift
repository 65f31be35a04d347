// SPDX-License-Identifier: BSD-3-Clause
// What a program that uses the library meets; the tests start it with the name of a scenario and read what it prints.
import Glibc
import Swiftlet

struct Square: RemoteTask {
    let number: Int
    func run() async throws -> Int { number * number }
}

struct Generic<Value: Codable & Sendable>: RemoteTask {
    let value: Value
    func run() async throws -> [Value] { [value, value] }
}

struct Crash: RemoteTask {
    let signal: Int32
    func run() async throws -> Int {
        _ = write(2, "about to crash\n", 15)
        kill(getpid(), signal)
        return 0
    }
}

struct Sleeper: RemoteTask {
    func run() async throws -> Int {
        try await Task.sleep(for: .seconds(600))
        return 0
    }
}

struct Printer: RemoteTask {
    func run() async throws -> Int {
        print("printed by a task")
        return 0
    }
}

struct Undecodable: RemoteTask {
    struct Value: Codable, Sendable {
        func encode(to encoder: any Encoder) throws {
            throw EncodingError.invalidValue(0, .init(codingPath: [], debugDescription: "never"))
        }
        init(from decoder: any Decoder) throws {}
        init() {}
    }
    func run() async throws -> Value { Value() }
}

private struct Hidden: RemoteTask {
    func run() async throws -> Int { 0 }
}

/// Prints what becomes of a task.
func report<T: RemoteTask>(_ executor: Executor, _ task: T) async {
    do throws(TaskError) {
        print("value \(try await executor.submit(task).value)")
    } catch {
        print("\(error.code): \(error.description)")
        if !error.errorOutput.isEmpty { print("said: \(error.errorOutput)", terminator: "") }
    }
}

@main struct TestProgram: TaskProgram {
    static func body() async throws {
        switch CommandLine.arguments.dropFirst().first {
        case "values":
            try await withExecutor(.singleNode(workers: 2)) { executor in
                let handles = try (0..<100).map { try executor.submit(Square(number: $0)) }
                var sum = 0
                for handle in handles { sum += try await handle.value }
                print("sum \(sum)")
                await report(executor, Generic(value: "a"))
                await report(executor, Generic(value: [1.5]))
            }
        case "failures":
            try await withExecutor(.singleNode(workers: 1)) { executor in
                await report(executor, Crash(signal: SIGKILL))
                await report(executor, Hidden())
                await report(executor, Undecodable())
                await report(executor, Square(number: 3))
            }
        case "output":
            try await withExecutor(.singleNode(workers: 1)) { executor in await report(executor, Printer()) }
        case "cancel":
            try await withExecutor(.singleNode(workers: 1)) { executor in
                let handle = try executor.submit(Sleeper())
                let waiting = Task { try await handle.value }
                waiting.cancel()
                if case .failure(let error) = await waiting.result {
                    print((error as? TaskError)?.code.description ?? "other")
                }
                await report(executor, Square(number: 4))
            }
        case "throw":
            struct Stop: Error {}
            do {
                try await withExecutor(.singleNode(workers: 1)) { executor in
                    _ = try executor.submit(Sleeper())
                    throw Stop()
                }
            } catch is Stop { print("stopped") }
        case let other: print("no scenario \(other ?? "")")
        }
    }
}
