// SPDX-License-Identifier: BSD-3-Clause
// What the Swift API costs. Prints one number for the question named by the first argument; benchmarks/swift_*.py race it.
import Glibc
import Swiftlet

struct Identity: RemoteTask {
    let number: Int
    func run() async throws -> Int { number }
}

/// Keeps its worker until somebody has closed the other end of a named pipe.
struct Held: RemoteTask {
    let pipe: String
    func run() async throws -> Int {
        let descriptor = open(pipe, O_RDONLY)
        defer { close(descriptor) }
        var byte: UInt8 = 0
        return read(descriptor, &byte, 1)
    }
}

@main struct SwiftBenchmark: TaskProgram {
    static func body() async throws {
        let arguments = CommandLine.arguments.dropFirst()
        guard let question = arguments.first, let count = arguments.dropFirst().first.flatMap({ Int($0) }) else {
            fatalError("usage: SwiftBenchmark latency|throughput|fresh|starts|commands|queued|taskgroup COUNT")
        }
        switch question {
        case "latency": print(try await latency(count))
        case "throughput": print(try await throughput(count, .singleNode(maxWorkers: 2, mode: .warm)))
        case "fresh": print(try await throughput(count, .singleNode(maxCores: 2)))
        case "starts": print(try await starts(count))
        case "nothing": break
        case "commands": print(try await commands(count))
        case "queued": try await queued(count)
        case "taskgroup": print(try await taskGroup(count))
        default: fatalError("no such question: \(question)")
        }
    }

    /// Microseconds of one call after the other, the median.
    static func latency(_ count: Int) async throws -> Double {
        try await withExecutor(.singleNode(maxWorkers: 1, mode: .warm)) { executor in
            for number in 0..<20 { _ = try await executor.run(Identity(number: number)) }
            var times: [Duration] = []
            for number in 0..<count {
                times.append(try await ContinuousClock().measure { _ = try await executor.run(Identity(number: number)) })
            }
            return seconds(times.sorted()[count / 2]) * 1e6
        }
    }

    /// Calls a second: all submitted, then every value taken.
    static func throughput(_ count: Int, _ configuration: ExecutorConfiguration) async throws -> Double {
        try await withExecutor(configuration) { executor in
            for try await _ in executor.map(0..<50, { Identity(number: $0) }) {}
            let time = try await ContinuousClock().measure {
                let handles = try (0..<count).map { try executor.submit(Identity(number: $0)) }
                for (number, handle) in handles.enumerated() {
                    let value = try await handle.value
                    precondition(value == number)
                }
            }
            return Double(count) / seconds(time)
        }
    }

    /// The lower limit of a fresh call: this program, started to do nothing, two at a time, a second.
    static func starts(_ count: Int) async throws -> Double {
        let time = await ContinuousClock().measure {
            await withTaskGroup(of: Void.self) { group in
                for _ in 0..<2 {
                    group.addTask { for _ in 0..<count / 2 { start() } }
                }
            }
        }
        return Double(count) / seconds(time)
    }

    private static func start() {
        var process: pid_t = 0
        var arguments: [UnsafeMutablePointer<CChar>?] = ["SwiftBenchmark", "nothing", "1"].map { (word: String) in strdup(word) }
        arguments.append(nil)
        defer { arguments.forEach { free($0) } }
        precondition(posix_spawn(&process, "/proc/self/exe", nil, nil, &arguments, environ) == 0)
        var status: Int32 = 0
        waitpid(process, &status, 0)
        precondition(status == 0)
    }

    /// Programs a second.
    static func commands(_ count: Int) async throws -> Double {
        try await withExecutor(.singleNode(maxCores: 2)) { executor in
            let time = try await ContinuousClock().measure {
                for try await result in executor.map(0..<count, { _ in Command("/bin/true") }) { precondition(result.isSuccess) }
            }
            return Double(count) / seconds(time)
        }
    }

    /// What queued tasks cost while the only worker is held by another one: bytes of each in this program, engine and arguments
    /// included; microseconds of a `submit` among the first and among the last; microseconds of a task from the release to the last value.
    static func queued(_ count: Int) async throws {
        let pipe = "/tmp/swiftlet-benchmark-\(getpid())"
        precondition(mkfifo(pipe, 0o600) == 0)
        defer { unlink(pipe) }
        try await withExecutor(.singleNode(maxWorkers: 1, mode: .warm)) { executor in
            _ = try await executor.run(Identity(number: 0))
            let held = try executor.submit(Held(pipe: pipe))
            let release = open(pipe, O_WRONLY)  // returns when the task reads: it runs
            let before = try await settledBytes()
            var handles: [TaskHandle<Int>] = []
            handles.reserveCapacity(count)
            var marks = [ContinuousClock.now]
            let batch = min(50_000, count)
            for start in stride(from: 0, to: count, by: batch) {
                for number in start..<start + batch { handles.append(try executor.submit(Identity(number: number))) }
                marks.append(.now)
            }
            let bytes = Double(try await settledBytes() - before) / Double(count)
            let released = ContinuousClock.now
            close(release)
            let rest = try await held.value
            precondition(rest == 0)
            for (number, handle) in handles.enumerated() {
                let value = try await handle.value
                precondition(value == number)
            }
            let drained = ContinuousClock.now - released
            let first = seconds(marks[1] - marks[0]) * 1e6 / Double(batch)
            let last = seconds(marks[marks.count - 1] - marks[marks.count - 2]) * 1e6 / Double(batch)
            print(bytes, first, last, seconds(drained) * 1e6 / Double(count))
        }
    }

    /// Resident memory once nothing moves any more: what was submitted has arrived.
    private static func settledBytes() async throws -> Int {
        var (last, quiet) = (residentBytes(), 0)
        while quiet < 5 {
            try await Task.sleep(for: .milliseconds(100))
            let now = residentBytes()
            quiet = now == last ? quiet + 1 : 0
            last = now
        }
        return last
    }

    /// The lower limit: child tasks of this process, a second.
    static func taskGroup(_ count: Int) async throws -> Double {
        let time = try await ContinuousClock().measure {
            try await withThrowingTaskGroup(of: Int.self) { group in
                for number in 0..<count { group.addTask { try await Identity(number: number).run() } }
                for try await _ in group {}
            }
        }
        return Double(count) / seconds(time)
    }

    static func seconds(_ duration: Duration) -> Double {
        Double(duration.components.seconds) + Double(duration.components.attoseconds) / 1e18
    }

    static func residentBytes() -> Int {
        guard let file = fopen("/proc/self/statm", "r") else { return 0 }
        defer { fclose(file) }
        var line = [CChar](repeating: 0, count: 256)
        fgets(&line, 256, file)
        let words = String(decoding: line.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self).split(separator: " ")
        return Int(words[1])! * Int(sysconf(Int32(_SC_PAGESIZE)))
    }
}
