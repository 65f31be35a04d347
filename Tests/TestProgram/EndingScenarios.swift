// SPDX-License-Identifier: BSD-3-Clause
// How tasks end on Slurm and Flux; the tests of python/tests start it there. Arguments: system and scenario, a directory.
import Glibc
import Swiftlet

enum EndingScenarios {
    static func run(_ name: Substring, _ directory: String) async throws {
        let group = ResourceRequest(cores: 2)
        let isFlux = name.hasPrefix("flux-")
        func job(
            _ workers: Int? = nil, _ mode: WorkerMode = .fresh, _ resources: ResourceRequest = ResourceRequest(),
            environment: [String: String] = quiet
        ) -> ExecutorConfiguration {
            isFlux
                ? .fluxJob(maxWorkers: workers, mode: mode, resources: resources, environment: environment)
                : .slurmJob(maxWorkers: workers, mode: mode, resources: resources, environment: environment)
        }
        let entries = "\(directory)/cache"
        let cluster: ExecutorConfiguration =
            isFlux
            ? .fluxCluster(cacheDirectory: entries, environment: quiet)
            : .slurmCluster(cacheDirectory: entries, environment: quiet)
        let step = ResourceRequest(isStep: true)
        let name = name.drop { $0 != "-" }.dropFirst()
        switch name {
        case "fresh": try await compare(job(), nil, group)
        case "warm": try await compare(job(2, .warm), nil, nil)
        case "warm-ranks": try await compare(job(1, .warm, group), nil, group)
        case "steps": try await compare(job(), step, ResourceRequest(cores: 2, isStep: true))
        case "jobs": try await compare(cluster, nil, group)
        case "rebuilt-step", "gone-step": try await withoutProgram(name, job(environment: [:]), step)
        case "rebuilt-job", "gone-job": try await withoutProgram(name, cluster, nil)
        case "rebuilt-before":
            try replaceProgram()
            do { try await withExecutor(job(environment: [:])) { _ in } } catch { print(error) }
        default: print("no scenario ending-\(name)")
        }
    }

    private static let quiet = ["SWIFT_BACKTRACE": "enable=no"]

    /// Prints what is said otherwise than on one machine.
    private static func compare(
        _ configuration: ExecutorConfiguration, _ single: ResourceRequest?, _ group: ResourceRequest?
    ) async throws {
        try await withExecutor(configuration) { executor in
            var lines: [(String, String)] = []
            if configuration.resources.cores == 1 {
                lines += zip(try await Endings.ofTasks(executor, single), Endings.expectedOfTasks)
            }
            if let group { lines += zip(try await Endings.ofRanks(executor, group), Endings.expectedOfRanks) }
            print("\(lines.count) ends")
            for (line, expected) in lines where line != expected { print("\(line)\n    instead of: \(expected)") }
        }
    }

    /// A task whose program is another one, or none, by the time it starts.
    private static func withoutProgram(
        _ name: Substring, _ configuration: ExecutorConfiguration, _ request: ResourceRequest?
    ) async throws {
        try await withExecutor(configuration) { executor in
            if name.hasPrefix("gone") { unlink(CommandLine.arguments[0]) } else { try replaceProgram() }
            print(Endings.text(await (try executor.submit(Square(number: 3), resources: request)).result))
        }
    }

    /// As a build does it: a new file with this name.
    private static func replaceProgram() throws {
        let path = CommandLine.arguments[0]
        let done = system("cp '\(path)' '\(path).new' && echo >> '\(path).new' && mv '\(path).new' '\(path)'")
        guard done == 0 else { throw OutOfRange(number: Int(done)) }
    }
}
