// SPDX-License-Identifier: BSD-3-Clause
// Every way in which a task can end badly, on whatever executor it runs.
import Glibc
import Swiftlet

/// Dies on one rank; the others wait for ever.
struct RankCrash: RemoteTask {
    let way: Crash.Way
    let rank: Int
    func run() async throws -> Int {
        if TaskContext.current?.rank == rank { return try await Crash(way: way).run() }
        try await Task.sleep(for: .seconds(600))
        return 0
    }
}

/// Makes a value of so many bytes and keeps it until it is ended.
struct Hungry: RemoteTask {
    let size: Int
    func run() async throws -> [UInt8] {
        let value = [UInt8](repeating: 1, count: size)
        try await Task.sleep(for: .seconds(600))
        return value
    }
}

enum Endings {
    private static let ways: [(name: String, way: Crash.Way)] = [
        ("trap", .trap), ("signal", .signal(SIGSEGV)), ("kill", .signal(SIGKILL)), ("status", .exit(3)), ("nothing", .exit(0)),
    ]

    /// A line for each.
    static func ofTasks(_ executor: Executor, _ resources: ResourceRequest? = nil) async throws -> [String] {
        var ends: [(String, Task<String, any Error>)] = []
        func submit<T: RemoteTask>(_ name: String, _ task: T) throws {
            let handle = try executor.submit(task, resources: resources)
            ends.append((name, Task { Self.text(await handle.result) }))
        }
        for (name, way) in ways { try submit(name, Crash(way: way)) }
        try submit("arguments", Unreadable(number: 3))
        try submit("value", WithoutValue())
        var lines: [String] = []
        for (name, end) in ends { lines.append("\(name): \(try await end.value)") }
        lines.append("after: \(try await executor.run(Square(number: 4), resources: resources))")
        return lines
    }

    /// The same where a rank of two dies.
    static func ofRanks(_ executor: Executor, _ resources: ResourceRequest) async throws -> [String] {
        var lines: [String] = []
        for (name, way) in ways {
            for rank in 0..<2 {
                let end = await (try executor.submit(RankCrash(way: way, rank: rank), resources: resources)).result
                lines.append("\(name) of rank \(rank): \(text(end))")
            }
        }
        return lines
    }

    /// What was said, with one name for what traps are on different processors.
    static func text<Value>(_ result: Result<Value, TaskError>) -> String {
        switch result {
        case .success(let value): return "value \(value)"
        case .failure(let error):
            var words = "\(error)"
            for trap in ["signal 4 (SIGILL)", "signal 5 (SIGTRAP)"] where words.hasSuffix(trap) {
                words = words.dropLast(trap.count) + "a trap"
            }
            return "\(error.code): \(words)"
        }
    }

    static let expectedOfTasks = [
        "trap: lost: the worker that ran the task was ended by a trap",
        "signal: lost: the worker that ran the task was ended by signal 11 (SIGSEGV)",
        "kill: lost: the worker that ran the task was ended by signal 9 (SIGKILL)",
        "status: lost: the worker that ran the task exited with status 3",
        "nothing: lost: the worker that ran the task exited with status 0",
        "arguments: undecodable: Unreadable cannot be decoded: there is no value for the key other",
        "value: undecodable: Value cannot be encoded: never",
        "after: 16",
    ]

    static let expectedOfRanks: [String] = [
        ("trap", "was ended by a trap"), ("signal", "was ended by signal 11 (SIGSEGV)"),
        ("kill", "was ended by signal 9 (SIGKILL)"),
        ("status", "exited with status 3"), ("nothing", "exited with status 0"),
    ].flatMap { name, end in (0..<2).map { "\(name) of rank \($0): lost: the worker that ran the task \(end)" } }
}
