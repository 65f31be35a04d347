// SPDX-License-Identifier: BSD-3-Clause
// What the Swift API costs. Prints one number for the question named by the first argument; benchmarks/swift_*.py race it.
import Glibc
import Swiftlet

struct Identity: RemoteTask {
    let number: Int
    func run() async throws -> Int { number }
}

@main struct SwiftBenchmark: TaskProgram {
    static func body() async throws {
        let arguments = CommandLine.arguments.dropFirst()
        guard let question = arguments.first, let count = arguments.dropFirst().first.flatMap({ Int($0) }) else {
            fatalError("usage: SwiftBenchmark latency|throughput|fresh|commands|queued|taskgroup COUNT")
        }
        switch question {
        case "latency": print(try await latency(count))
        case "throughput": print(try await throughput(count, .singleNode(maxWorkers: 2, mode: .warm)))
        case "fresh": print(try await throughput(count, .singleNode(maxCores: 2)))
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

    /// Programs a second.
    static func commands(_ count: Int) async throws -> Double {
        try await withExecutor(.singleNode(maxCores: 2)) { executor in
            let time = try await ContinuousClock().measure {
                for try await result in executor.map(0..<count, { _ in Command("/bin/true") }) { precondition(result.isSuccess) }
            }
            return Double(count) / seconds(time)
        }
    }

    /// Bytes that each queued task costs the program, engine and arguments included; then the microseconds a task takes until all
    /// have ended.
    static func queued(_ count: Int) async throws {
        try await withExecutor(.singleNode(maxWorkers: 2, mode: .warm)) { executor in
            _ = try await executor.run(Identity(number: 0))
            let before = residentBytes()
            let start = ContinuousClock.now
            var handles: [TaskHandle<Int>] = []
            handles.reserveCapacity(count)
            for number in 0..<count { handles.append(try executor.submit(Identity(number: number))) }
            let submitted = ContinuousClock.now - start
            let bytes = Double(residentBytes() - before) / Double(count)
            for (number, handle) in handles.enumerated() {
                let value = try await handle.value
                precondition(value == number)
            }
            print(bytes, seconds(submitted) * 1e6 / Double(count), seconds(ContinuousClock.now - start) * 1e6 / Double(count))
        }
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
