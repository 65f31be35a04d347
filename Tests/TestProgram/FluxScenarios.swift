// SPDX-License-Identifier: BSD-3-Clause
// What a Swift program does in an instance of Flux; the tests of python/tests/on_flux start it there.
import Glibc
import Swiftlet

/// Says which job of Flux it runs in, after a while in which others may run beside it.
struct Lease: RemoteTask {
    struct Value: Codable, Sendable {
        let job: String
        let gpus: String
        let threads: String
        let process: Int32
    }
    var milliseconds = 0
    func run() async throws -> Value {
        try await Task.sleep(for: .milliseconds(milliseconds))
        func variable(_ name: String) -> String { getenv(name).map { String(cString: $0) } ?? "-" }
        return Value(
            job: variable("FLUX_JOB_ID"), gpus: variable("CUDA_VISIBLE_DEVICES"), threads: variable("OMP_NUM_THREADS"),
            process: getpid())
    }
}

enum FluxScenarios {
    static func run(_ name: Substring) async throws {
        switch name {
        case "places": try await places()
        case "warm": try await warm()
        case "behind": try await behind()
        case "jobs": try await jobs()
        case "ranks": try await ranks()
        case "commands": try await commands()
        case "failures": try await SlurmScenarios.failures(.fluxJob())
        case "data": try await SlurmScenarios.data(.fluxJob())
        case "memory": try await memory()
        case "refusals": try await refusals()
        case "launched":
            try await LaunchedRanks.run(.fluxJob(), library: CommandLine.arguments.dropFirst(2).first ?? "", arguments: [])
        case "launched-warm":
            let group = ResourceRequest(cores: 6, nodes: 2)
            try await LaunchedRanks.runWarm(
                .fluxJob(maxWorkers: 1, mode: .warm(preparing: Table(size: 10)), resources: group))
        case let other: print("no scenario flux-\(other)")
        }
    }

    private static func places() async throws {
        try await withExecutor(.fluxJob()) { executor in
            let handles = try (0..<32).map { _ in try executor.submit(Lease(milliseconds: 20)) }
            var seen: [Lease.Value] = []
            for handle in handles { seen.append(try await handle.value) }
            let jobs = Set(seen.map(\.job))
            print("processes", Set(seen.map(\.process)).count, "jobs", jobs.contains("-") || jobs.count > 16 ? "\(jobs)" : "few")
        }
    }

    private static func warm() async throws {
        try await withExecutor(.fluxJob(maxWorkers: 3, mode: .warm(preparing: Table(size: 10)))) { executor in
            var processes: Set<Int32> = []
            for try await place in executor.map(0..<60, { _ in Lease(milliseconds: 5) }) { processes.insert(place.process) }
            print(processes.count, try await executor.run(Lookup(index: 4)))
        }
    }

    /// Short calls that went ahead to a worker with one that does not end.
    private static func behind() async throws {
        try await withExecutor(.fluxJob(maxWorkers: 2, mode: .warm)) { executor in
            for try await _ in executor.map(0..<100, { Square(number: $0) }) {}
            let long = try executor.submit(Sleeper())
            var places = 0
            for try await _ in executor.map(0..<12, { _ in Lease(milliseconds: 20) }) { places += 1 }
            print(places)
            long.cancel()
        }
    }

    private static func jobs() async throws {
        try await withExecutor(.fluxJob()) { executor in
            let own = try await executor.run(Lease(), resources: ResourceRequest(threadsPerCore: 2, isStep: true))
            let shared = try await executor.run(Lease())
            print(own.job == "-" || own.job == shared.job ? "no job" : "a job", own.threads)
            let one = ResourceRequest(gpusPerCore: 1)
            let first = try executor.submit(Lease(milliseconds: 500), resources: one)
            let second = try executor.submit(Lease(milliseconds: 500), resources: one)
            let gpus = [try await first.value, try await second.value]
            print(gpus.map { $0.gpus.split(separator: ",").count }, gpus[0].job == gpus[1].job && gpus[0].gpus == gpus[1].gpus)
        }
    }

    private static func ranks() async throws {
        try await withExecutor(.fluxJob()) { executor in
            let group = ResourceRequest(cores: 4)
            print(try await executor.submitToRanks(RankName(), resources: group).value.joined(separator: " "))
            print(try await executor.run(RankName(), resources: group))
            let job = ResourceRequest(cores: 3, isStep: true)
            print(try await executor.submitToRanks(RankName(), resources: job).value.joined(separator: " "))
        }
    }

    private static func commands() async throws {
        try await withExecutor(.fluxJob()) { executor in
            let one = try await executor.run("sh", arguments: ["-c", "echo one; exit 3"])
            print(one.standardOutput.prefix(3), one.exitStatus ?? -1)
            let words = ["-c", "echo rank $FLUX_TASK_RANK of $FLUX_JOB_SIZE"]
            let group = try await executor.run("sh", arguments: words, resources: ResourceRequest(cores: 6))
            print(group.standardOutput.split(separator: "\n").sorted().joined(separator: ","))
            let killed = try await executor.run("sh", arguments: ["-c", "kill -9 $$"])
            print(killed.signal ?? -1)
            let job = try await executor.run("sh", arguments: ["-c", "exit 4"], resources: ResourceRequest(isStep: true))
            print(job.exitStatus ?? -1)
            let none = await (try executor.submit(Command("/no/such/program"))).result
            if case .failure(let error) = none { print(error.code) }
        }
    }

    /// A task and an external program that use more memory than they may.
    private static func memory() async throws {
        let limit = ResourceRequest(memory: 100 << 20, timeLimit: .seconds(60))
        let script = "x=$(head -c 300000000 /dev/zero | tr '\\0' x); sleep 600"
        try await withExecutor(.fluxJob()) { executor in
            let task = try executor.submit(Hungry(size: 300 << 20), resources: limit)
            let program = try executor.submit(Command("sh", arguments: ["-c", script]), resources: limit)
            for end in [Endings.text(await task.result), Endings.text(await program.result)] {
                print(end.hasPrefix("lost: ") && end.contains("more than the 100 MB of its request's memory") ? "ended" : end)
            }
            print(try await executor.run(Square(number: 3), resources: limit))
        }
    }

    private static func refusals() async throws {
        try await withExecutor(.fluxJob()) { executor in
            let arguments = ResourceRequest(launcherArguments: ["--queue=x"])
            for request in [
                ResourceRequest(threadsPerCore: 5), ResourceRequest(cores: 17), ResourceRequest(memory: 1 << 20, isStep: true),
                ResourceRequest(cores: 4, memory: 1 << 20, nodes: 2), arguments,
            ] {
                do { _ = try executor.submit(Lease(), resources: request) } catch { print(error) }
            }
            let group = ResourceRequest(cores: 2, memory: 1 << 20)
            do { _ = try executor.submit(Command("true"), resources: group) } catch { print(error) }
        }
        do {
            try await withExecutor(.fluxJob(maxWorkers: 17, mode: .warm)) { _ in }
        } catch { print(error) }
    }
}
