// SPDX-License-Identifier: BSD-3-Clause
// Tasks whose values are kept, and a program that leaves its jobs.
import Glibc
import Swiftlet

struct Name: RawRepresentable, Hashable, Codable, CodingKeyRepresentable {
    let rawValue: String
}

/// Leaves a mark each time it runs.
struct Marked: RemoteTask {
    let directory: String
    var number = 0
    var table: [String: Int] = [:]
    var names: [Name: Int] = [:]
    func run() async throws -> Int {
        let file = open("\(directory)/ran", O_CREAT | O_WRONLY | O_APPEND, 0o600)
        _ = write(file, "x", 1)
        close(file)
        if number < 0 { throw OutOfRange(number: number) }
        return number + table.values.reduce(0, +)
    }
}

struct MarkedTotal: RemoteTask {
    let parts: [Input<Int>]
    func run() async throws -> Int { parts.reduce(0) { $0 + $1.value } }
}

/// Says that it runs, and computes until it is ended.
struct Holder: RemoteTask {
    let directory: String
    var depends: Input<Int>?
    func run() async throws -> Int {
        close(open("\(directory)/\(getpid())", O_CREAT | O_WRONLY, 0o600))
        var sum = 0
        while true { sum &+= Int.random(in: 0...1) }
    }
}

enum ClusterScenarios {
    private static func hasFiles(_ directory: String) throws -> Bool {
        guard let handle = opendir(directory) else { return false }
        defer { closedir(handle) }
        while let entry = readdir(handle) {
            let name = withUnsafeBytes(of: entry.pointee.d_name) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
            if Int(name) != nil { return true }
        }
        return false
    }

    /// Arguments: scenario, directory.
    static func run(_ name: Substring, _ directory: String, _ site: ExecutorConfiguration) async throws {
        try await withExecutor(site) { executor in
            switch name {
            case "graph", "leave":
                let parts = try (1...3).map {
                    try executor.submit(Marked(directory: directory, number: $0), cacheKey: CacheKey("marked"))
                }
                let total = try executor.submit(MarkedTotal(parts: parts.map { Input($0) }), cacheKey: CacheKey("total"))
                if name == "leave" {
                    print("not queued", try await executor.leave())
                    if case .failure(let error) = await total.result { print(error.code) }
                } else {
                    print("total", try await total.value)
                }
            case "ends":
                let ranks = try executor.submitToRanks(RankName(), resources: ResourceRequest(cores: 3))
                let thrown = try executor.submit(Checked(number: 12))
                let lost = try executor.submit(Crash(way: .signal(SIGKILL)))
                let needsLost = try executor.submit(MarkedTotal(parts: [Input(lost)]))
                let late = try executor.submit(Sleeper(), resources: ResourceRequest(timeLimit: .seconds(1)))
                let command = try executor.submit(Command("sh", arguments: ["-c", "echo $SLURM_JOB_NAME$FLUX_JOB_ID; exit 3"]))
                print(try await ranks.value.joined(separator: " "))
                if case .failure(let error) = await thrown.result {
                    print(error.code, error.cause as? OutOfRange ?? OutOfRange(number: 0))
                }
                if case .failure(let error) = await lost.result { print(error.code, error.signal ?? 0) }
                if case .failure(let error) = await needsLost.result { print(error) }
                if case .failure(let error) = await late.result { print(error.code) }
                let result = try await command.value
                print(result.exitStatus ?? -1, result.standardOutput.isEmpty)
            case "causes":
                for task in [Delegated(end: .thrown, depth: 2), Delegated(end: .killed)] {
                    let failed = await (try executor.submit(task)).result
                    if case .failure(let error) = failed { print(Delegated.chain(error).joined(separator: ", ")) }
                }
            case "nested":
                let wishes = Confined(
                    configurations: [.init(cores: 2), .init(cores: 3)], requests: [.init(memory: 900 << 20)])
                let request = ResourceRequest(threadsPerCore: 2, memory: 600 << 20)
                for said in try await executor.run(wishes, resources: request) { print(said.prefix { $0 != "," && $0 != ":" }) }
            case "large":
                let numbers = try executor.submit(Numbers(count: 700_000), cacheKey: CacheKey("numbers"))
                print(try await numbers.value.count, Int(try await executor.run(Sum(numbers: Input(numbers)))))
            case "python":
                let root = try executor.submit(PythonCall<Double>("math", "hypot", 3.0, 4), cacheKey: CacheKey("root"))
                let square = try executor.submit(PythonCall<Int>("builtins", "pow", 5, 2))
                print(try await root.value, try await square.value)
                let failed = await (try executor.submit(PythonCall<Double>("math", "sqrt", -1.0))).result
                if case .failure(let error) = failed { print(error.code, (error.cause as? PythonError)?.type ?? "-") }
            case "cancel":
                let holder = try executor.submit(Holder(directory: directory))
                let second = try executor.submit(Holder(directory: directory, depends: Input(holder)))
                for handle in [second, holder] {
                    let waiting = Task { try await handle.value }
                    // The first runs when its file is there; the second waits for it in the queue.
                    while (try? hasFiles(directory)) != true { try await Task.sleep(for: .milliseconds(50)) }
                    waiting.cancel()
                    if case .failure(let error as TaskError) = await waiting.result { print(error.code) }
                }
                print("next", try await executor.run(Marked(directory: directory, number: 3)))
            default: print("no scenario cluster-\(name)")
            }
        }
    }
}
