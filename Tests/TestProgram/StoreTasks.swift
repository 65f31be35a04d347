// SPDX-License-Identifier: BSD-3-Clause
// Tasks whose values are kept, and a program that leaves its jobs.
import Glibc
import Swiftlet

/// Leaves a mark each time it runs.
struct Marked: RemoteTask {
    let directory: String
    var number = 0
    var table: [String: Int] = [:]
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

enum ClusterScenarios {
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
                let late = try executor.submit(Sleeper(), resources: ResourceRequest(timeLimit: .seconds(1)))
                let command = try executor.submit(Command("sh", arguments: ["-c", "echo $SLURM_JOB_NAME$FLUX_JOB_ID; exit 3"]))
                print(try await ranks.value.joined(separator: " "))
                if case .failure(let error) = await thrown.result {
                    print(error.code, error.cause as? OutOfRange ?? OutOfRange(number: 0))
                }
                if case .failure(let error) = await lost.result { print(error.code, error.signal ?? 0) }
                if case .failure(let error) = await late.result { print(error.code) }
                let result = try await command.value
                print(result.exitStatus ?? -1, result.standardOutput.isEmpty)
            default: print("no scenario cluster-\(name)")
            }
        }
    }
}
