// SPDX-License-Identifier: BSD-3-Clause
// The tasks that the tests submit; the workers are this program.
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

enum Outer {
    struct Nested: RemoteTask {
        let text: String
        func run() async throws -> String? { text.isEmpty ? nil : text.uppercased() }
    }
}

extension Array {
    struct Counted: RemoteTask {
        func run() async throws -> String { "\(Element.self)" }
    }
}

final class Reference: RemoteTask {
    let factor: Double
    init(factor: Double) { self.factor = factor }
    func run() async throws -> Double { factor / 0 }
}

struct Total: RemoteTask {
    let parts: [Input<Int>]
    var note: Input<String> = Input("sum")
    func run() async throws -> String { "\(note.value) \(parts.reduce(0) { $0 + $1.value })" }
}

/// How a worker can end without an answer.
struct Crash: RemoteTask {
    enum Way: Codable, Sendable {
        case trap, outOfBounds
        /// As a trap whose backtrace is long.
        case verbose
        case signal(Int32)
        case exit(Int32)
    }
    let way: Way
    func run() async throws -> Int {
        _ = write(2, "about to crash\n", 15)
        switch way {
        case .trap: fatalError("as it was asked to")
        case .outOfBounds: return [1, 2, 3][Int(getpid())]
        case .verbose:
            let text = "Main.swift:1: Fatal error: the reason\n" + String(repeating: "frame\n", count: 1000)
            _ = write(2, text, text.utf8.count)
            raise(SIGKILL)
        case .signal(let signal): raise(signal)  // to this thread: what follows does not run
        case .exit(let status): exit(status)
        }
        return 0
    }
}

/// Sleeps until it is ended, once its directory shows that it runs.
struct Sleeper: RemoteTask {
    var mark: String?
    func run() async throws -> Int {
        if let mark { close(open(mark, O_CREAT | O_WRONLY, 0o600)) }
        try await Task.sleep(for: .seconds(600))
        return 0
    }
}

struct Printer: RemoteTask {
    let lines: Int
    func run() async throws -> Int {
        for line in 0..<lines { print("line \(line) printed by a task") }
        return lines
    }
}

struct Numbers: RemoteTask {
    let count: Int
    func run() async throws -> [Double] { (0..<count).map(Double.init) }
}

struct WithoutValue: RemoteTask {
    struct Value: Codable, Sendable {
        func encode(to encoder: any Encoder) throws {
            throw EncodingError.invalidValue(0, .init(codingPath: [], debugDescription: "never"))
        }
        init(from decoder: any Decoder) throws {}
        init() {}
    }
    func run() async throws -> Value { Value() }
}

/// Its arguments cannot be read by the worker.
struct Unreadable: RemoteTask {
    let number: Int
    enum CodingKeys: String, CodingKey { case number, other }
    init(number: Int) { self.number = number }
    init(from decoder: any Decoder) throws {
        number = try decoder.container(keyedBy: CodingKeys.self).decode(Int.self, forKey: .other)
    }
    func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(number, forKey: .number)
    }
    func run() async throws -> Int { number }
}

struct OutOfRange: Error, Codable, Equatable {
    let number: Int
}

struct Checked: RemoteTask {
    struct Plain: Error {}
    let number: Int
    func run() async throws -> Int {
        if number < 0 { throw Plain() }
        guard number < 10 else { throw OutOfRange(number: number) }
        return number
    }
}

struct Where: RemoteTask {
    struct Place: Codable, Sendable {
        let process: Int32
        let directory: String
        let attempt: Int
        let index: Int?
        let variable: String?
    }
    func run() async throws -> Place {
        let path = getcwd(nil, 0)
        defer { free(path) }
        return Place(
            process: getpid(), directory: String(cString: path!), attempt: TaskContext.current?.attempt ?? 0,
            index: TaskContext.current?.workerIndex, variable: getenv("SWIFTLET_TEST_VARIABLE").map { String(cString: $0) })
    }
}

/// Dies the first time, as long as the file is not there.
struct DiesOnce: RemoteTask {
    let mark: String
    func run() async throws -> Int {
        let file = open(mark, O_CREAT | O_EXCL | O_WRONLY, 0o600)
        if file >= 0 { kill(getpid(), SIGKILL) }
        return TaskContext.current?.attempt ?? 0
    }
}

struct Table: WorkerPreparation {
    let size: Int
    func prepare() async throws -> [Int] {
        guard size >= 0 else { throw OutOfRange(number: size) }
        return Array(0..<size)
    }
}

struct Lookup: RemoteTask {
    let index: Int
    func run() async throws -> Int { try Table.state[index] * 2 }
}

/// Its state is of the type that that of ``Table`` has.
struct OtherTable: WorkerPreparation {
    func prepare() async throws -> [Int] { [1] }
}

struct OtherLookup: RemoteTask {
    func run() async throws -> Int { try OtherTable.state[0] }
}

/// A task that uses an executor of its own.
struct Delegates: RemoteTask {
    func run() async throws -> Int {
        try await withExecutor(.singleNode(maxWorkers: 1)) { try await $0.run(Square(number: 12)) }
    }
}

/// What an executor of its own may have, and what it says of more than that.
struct Confined: RemoteTask {
    let configurations: [Wish]
    let requests: [Wish]

    struct Wish: Codable, Sendable {
        var cores: Int?
        var workers: Int?
        var memory: Int?
        var gpus = 0
    }

    func run() async throws -> [String] {
        var said: [String] = []
        for wish in configurations {
            let configuration = ExecutorConfiguration.singleNode(
                maxCores: wish.cores, maxWorkers: wish.workers, mode: wish.workers == nil ? .fresh : .warm)
            said.append(await Self.said { try await withExecutor(configuration) { try await $0.run(Square(number: 2)) } })
        }
        try await withExecutor(.singleNode()) { executor in
            for wish in requests {
                let request = ResourceRequest(cores: wish.cores ?? 1, gpusPerCore: wish.gpus, memory: wish.memory)
                said.append(await Self.said { try await executor.run(Square(number: 2), resources: request) })
            }
        }
        return said
    }

    private static func said(_ value: () async throws -> Int) async -> String {
        do { return "\(try await value())" } catch { return "\(error)" }
    }
}

/// Has an executor of its own run what fails, or a task like this.
struct Delegated: RemoteTask {
    enum End: Codable, Sendable { case thrown, killed }
    let end: End
    var depth = 1

    func run() async throws -> Int {
        try await withExecutor(.singleNode(maxWorkers: 1)) { executor in
            if depth > 1 { return try await executor.run(Delegated(end: end, depth: depth - 1)) }
            return switch end {
            case .thrown: try await executor.run(Checked(number: 12))
            case .killed: try await executor.run(Crash(way: .signal(SIGKILL)))
            }
        }
    }

    /// An error and its causes, from the outermost to the first.
    static func chain(_ error: TaskError) -> [String] {
        var said: [String] = []
        var next: (any Error)? = error
        while let error = next {
            let task = error as? TaskError
            let how = task.map { error in
                "\(error.code)\(error.signal.map { " by \($0)" } ?? "") of \(error.causeType ?? "nothing")"
            }
            said.append(how ?? "\(error)")
            next = task?.cause
        }
        return said
    }

    static let expectedOfThrown = [
        "failed of TaskError", "failed of TaskError", "failed of OutOfRange", "OutOfRange(number: 12)",
    ]
    static let expectedOfKilled = ["lost of TaskError", "lost by 9 of nothing"]
}

/// Never ready.
struct Stuck: WorkerPreparation {
    func prepare() async throws -> Int {
        try await Task.sleep(for: .seconds(600))
        return 0
    }
}

/// Counts how often it has run, in a file.
struct Counted: RemoteTask {
    let number: Int
    let file: String
    func run() async throws -> Int {
        let descriptor = open(file, O_CREAT | O_APPEND | O_WRONLY, 0o600)
        _ = write(descriptor, ".", 1)
        close(descriptor)
        return number
    }
}

struct OutputOf: RemoteTask {
    let result: Input<CommandResult>
    func run() async throws -> String { result.value.standardOutput }
}

private struct Hidden: RemoteTask {
    func run() async throws -> Int { 0 }
}

/// What happens on submission of a type that no worker can find.
func submitHidden(_ executor: Executor) throws { _ = try executor.submit(Hidden()) }
