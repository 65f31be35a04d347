// SPDX-License-Identifier: BSD-3-Clause
// What a Swift program does in an allocation of Slurm; the tests of python/tests/slurm start it there.
import Glibc
import Swiftlet

/// Says where it ran, after a while in which others may run beside it.
struct Place: RemoteTask {
    struct Value: Codable, Sendable {
        let node: String
        let job: String
        let step: String
        let gpus: String
        let threads: String
        let process: Int32
    }
    var milliseconds = 0

    func run() async throws -> Value {
        try await Task.sleep(for: .milliseconds(milliseconds))
        func variable(_ name: String) -> String { getenv(name).map { String(cString: $0) } ?? "-" }
        return Value(
            node: variable("SLURMD_NODENAME"), job: variable("SLURM_JOB_ID"), step: variable("SLURM_STEP_ID"),
            gpus: variable("CUDA_VISIBLE_DEVICES"), threads: variable("OMP_NUM_THREADS"), process: getpid())
    }
}

struct Sum: RemoteTask {
    let numbers: Input<[Double]>
    func run() async throws -> Double { numbers.value.reduce(0, +) }
}

/// One rank's word. Where one is to fail or die, the others wait for ever.
struct RankName: RemoteTask {
    var failing: Int?
    var dying: Int?
    func run() async throws -> String {
        let context = TaskContext.current
        let rank = context?.rank ?? -1
        if rank == failing { throw OutOfRange(number: rank) }
        if rank == dying { kill(getpid(), SIGKILL) }
        if failing != nil || dying != nil { try await Task.sleep(for: .seconds(600)) }
        return "\(rank)/\(context?.rankCount ?? -1)"
    }
}

struct RankByte: RemoteTask {
    func run() async throws -> UInt8 { UInt8(TaskContext.current?.rank ?? 99) }
}

enum SlurmScenarios {
    static func run(_ name: Substring) async throws {
        switch name {
        case "places": try await places()
        case "warm": try await warm(.slurmJob(mode: .warm(preparing: Table(size: 10))))
        case "steps": try await steps()
        case "ranks": try await ranks()
        case "commands": try await commands()
        case "memory": try await memory()
        case "failures": try await failures(.slurmJob())
        case "data": try await data(.slurmJob())
        case "gpus": try await gpus()
        case "outside": try await outside()
        case "refusals": try await refusals()
        case "python": try await pythonFunctions([.slurmJob(), .slurmJob(maxWorkers: 2, mode: .warm)])
        case "hold": try await hold(CommandLine.arguments.dropFirst(2).first ?? "", CommandLine.arguments.last ?? "")
        case "launched":
            try await LaunchedRanks.run(
                .slurmJob(), library: CommandLine.arguments.dropFirst(2).first ?? "", arguments: ["--mpi=pmi2"])
        case "launched-warm":
            let group = ResourceRequest(cores: 6, nodes: 2)
            try await LaunchedRanks.runWarm(
                .slurmJob(maxWorkers: 1, mode: .warm(preparing: Table(size: 10)), resources: group))
        case let other: print("no scenario slurm-\(other)")
        }
    }

    /// So many of each, in order.
    private static func tally(_ words: [String]) -> String {
        Dictionary(grouping: words, by: \.self).map { "\($0.key) \($0.value.count)" }.sorted().joined(separator: ", ")
    }

    private static func places() async throws {
        try await withExecutor(.slurmJob()) { executor in
            let handles = try (0..<8).map { _ in try executor.submit(Place(milliseconds: 500)) }
            var seen: [Place.Value] = []
            for handle in handles { seen.append(try await handle.value) }
            print(tally(seen.map(\.node)), "steps", tally(seen.map(\.step)), "processes", Set(seen.map(\.process)).count)
        }
    }

    static func warm(_ site: ExecutorConfiguration) async throws {
        try await withExecutor(site) { executor in
            var nodes: Set<String> = []
            for try await place in executor.map(0..<80, { _ in Place(milliseconds: 20) }) { nodes.insert(place.node) }
            print(nodes.sorted().joined(separator: " "), try await executor.run(Lookup(index: 4)))
        }
    }

    private static func steps() async throws {
        try await withExecutor(.slurmJob()) { executor in
            let request = ResourceRequest(threadsPerCore: 2, isStep: true)
            let place = try await executor.run(Place(), resources: request)
            print(place.node.prefix(1), place.step == "-" ? "no step" : "a step", place.threads)
            let sized = ResourceRequest(memory: 256 << 20, launcherArguments: ["--export=ALL,SWIFTLET_TEST_VARIABLE=hello there"])
            print(try await executor.run(Where(), resources: sized).variable ?? "-")
        }
    }

    private static func ranks() async throws {
        try await withExecutor(.slurmJob()) { executor in
            let group = ResourceRequest(cores: 4)
            print(try await executor.submitToRanks(RankName(), resources: group).value.joined(separator: " "))
            print(try await executor.run(RankName(), resources: group))
            let step = ResourceRequest(cores: 3, isStep: true)
            print(try await executor.submitToRanks(RankName(), resources: step).value.joined(separator: " "))
        }
    }

    private static func commands() async throws {
        try await withExecutor(.slurmJob()) { executor in
            let node = try await executor.run("sh", arguments: ["-c", "echo $SLURMD_NODENAME; exit 3"])
            print(node.standardOutput.prefix(1), node.exitStatus ?? -1)
            let words = ["-c", "echo rank $SLURM_PROCID of $SLURM_NTASKS on $SLURMD_NODENAME"]
            let group = try await executor.run("sh", arguments: words, resources: ResourceRequest(cores: 6))
            let lines = group.standardOutput.split(separator: "\n").sorted()
            print(lines.map { $0.dropLast(6) }.joined(separator: ","), Set(lines.map { $0.suffix(2) }).count)
            let killed = try await executor.run("sh", arguments: ["-c", "kill -9 $$"])
            print(killed.signal ?? -1)
        }
    }

    static func failures(_ site: ExecutorConfiguration) async throws {
        try await withExecutor(site) { executor in
            for way in [Crash.Way.trap, .signal(SIGKILL), .exit(3)] {
                guard case .failure(let error) = await (try executor.submit(Crash(way: way))).result else { continue }
                print(
                    error.code, error.signal == SIGKILL ? "killed" : error.signal != nil ? "trapped" : "-",
                    error.exitStatus ?? 0, error.host?.prefix(1) ?? "-", error.errorOutput.isEmpty)
            }
            let limited = await (try executor.submit(Sleeper(), resources: ResourceRequest(timeLimit: .milliseconds(200)))).result
            if case .failure(let error) = limited { print(error.code) }
            let thrown = await (try executor.submit(Checked(number: 12), resources: ResourceRequest(isStep: true))).result
            if case .failure(let error) = thrown { print(error.code, error.cause as? OutOfRange ?? OutOfRange(number: 0)) }
            let dead = await (try executor.submit(RankName(dying: 1), resources: ResourceRequest(cores: 2))).result
            if case .failure(let error) = dead { print(error.code, error.signal ?? 0) }
        }
    }

    static func data(_ site: ExecutorConfiguration) async throws {
        try await withExecutor(site) { executor in
            let numbers = try executor.submit(Numbers(count: 1_000_000))
            let sum = try executor.submit(Sum(numbers: Input(numbers)))
            let step = try executor.submit(Sum(numbers: Input(numbers)), resources: ResourceRequest(isStep: true))
            print(try await sum.value, try await step.value, try await numbers.value.count)
        }
    }

    private static func gpus() async throws {
        try await withExecutor(.slurmJob()) { executor in
            let one = ResourceRequest(gpusPerCore: 1)
            let handles = try (0..<4).map { _ in try executor.submit(Place(milliseconds: 500), resources: one) }
            var seen: [String] = []
            for handle in handles {
                let place = try await handle.value
                seen.append("\(place.node):\(place.gpus)")
            }
            print(seen.sorted().joined(separator: " "))
        }
    }

    private static func outside() async throws {
        try await withExecutor(.slurmJob(maxWorkers: 2)) { executor in
            let handles = try (0..<3).map { _ in try executor.submit(Place()) }
            var jobs: Set<String> = []
            for handle in handles { jobs.insert(try await handle.value.job) }
            print("jobs", jobs.count)
            print(try await executor.submitToRanks(RankName(), resources: ResourceRequest(cores: 2)).value)
        }
    }

    /// Computes until it is ended, in one of three kinds of processes.
    private static func hold(_ directory: String, _ kind: String) async throws {
        let kinds = [
            "step": ResourceRequest(isStep: true), "ranks": ResourceRequest(cores: 6, nodes: 2),
        ]
        try await withExecutor(.slurmJob()) {
            _ = try await $0.run(Holder(directory: directory), resources: kinds[kind] ?? ResourceRequest())
        }
    }

    static func pythonFunctions(_ sites: [ExecutorConfiguration]) async throws {
        for site in sites {
            try await withExecutor(site) { executor in
                let root = try executor.submit(PythonCall<Double>("math", "hypot", 3.0, 4))
                let sorted = try PythonCall<[Int]>("builtins", "sorted", [3, 1, 2], keywords: ["reverse": true])
                print(try await root.value, try await executor.run(sorted))
                if site.maxWorkers == nil {
                    let failed = await (try executor.submit(PythonCall<Double>("math", "sqrt", -1.0))).result
                    if case .failure(let error) = failed { print((error.cause as? PythonError)?.type ?? "-") }
                } else {
                    let square = try executor.submit(PythonCall<Double>("math", "pow", Input(root), 2))
                    print(try await root.value, try await square.value)
                }
            }
        }
    }

    private static func refusals() async throws {
        try await withExecutor(.slurmJob()) { executor in
            let (wide, spread) = (ResourceRequest(threadsPerCore: 5), ResourceRequest(cores: 3, nodes: 3))
            for request in [wide, spread, ResourceRequest(cores: 9), ResourceRequest(gpusPerCore: 1)] {
                do { _ = try executor.submit(Place(), resources: request) } catch { print(error) }
            }
        }
        do {
            try await withExecutor(.slurmJob(address: "everywhere")) { _ in }
        } catch { print(error) }
    }

    /// What Slurm ends for its memory.
    private static func memory() async throws {
        try await withExecutor(.slurmJob()) { executor in
            let limited = ResourceRequest(memory: 100 << 20)
            let grow = "a=x; while :; do a=$a$a; done"
            let command = await (try executor.submit(Command("sh", arguments: ["-c", grow]), resources: limited)).result
            let task = await (try executor.submit(Hungry(size: 512 << 20), resources: limited)).result
            for end in [command.map { "\($0)" }, task.map { "\($0.count)" }] {
                switch end {
                case .success(let value): print("value", value)
                case .failure(let error): print(error.code, error)
                }
            }
            // One that dies by itself is a value as ever.
            let killed = try await executor.run("sh", arguments: ["-c", "kill -9 $$"], resources: limited)
            print(killed.signal ?? 0)
        }
    }
}
