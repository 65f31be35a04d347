// SPDX-License-Identifier: BSD-3-Clause
// What only a whole program shows; the tests start it with the name of a scenario and read what it prints.
import Glibc
import Swiftlet

@main struct TestProgram: TaskProgram {
    static func body() async throws {
        switch CommandLine.arguments.dropFirst().first {
        case "values":
            try await withExecutor(.singleNode(maxWorkers: 2, mode: .warm)) { executor in
                let handles = try (0..<100).map { try executor.submit(Square(number: $0)) }
                var sum = 0
                for handle in handles { sum += try await handle.value }
                print("sum \(sum)")
            }
        case "output":
            let lines = CommandLine.arguments.last.flatMap { Int($0) } ?? 1
            try await withExecutor(.singleNode(maxWorkers: 1)) { _ = try await $0.run(Printer(lines: lines)) }
        case "throw":
            struct Stop: Error {}
            do {
                try await withExecutor(.singleNode(maxWorkers: 1)) { executor in
                    _ = try executor.submit(Sleeper())
                    throw Stop()
                }
            } catch is Stop { print("stopped") }
        case "children":
            for _ in 0..<3 { try await withExecutor(.singleNode(maxWorkers: 1)) { _ = try await $0.run(Square(number: 3)) } }
            var status: Int32 = 0
            var count = 0
            while waitpid(-1, &status, 0) > 0 { count += 1 }
            print("children: \(count)")
        case "again":  // with a script that starts this again
            try await withExecutor(.singleNode(maxWorkers: 1, program: CommandLine.arguments.last)) {
                _ = try await $0.run(Square(number: 3))
            }
        case "fail": throw OutOfRange(number: 3)
        case let scenario? where scenario.hasPrefix("slurm-"): try await SlurmScenarios.run(scenario.dropFirst(6))
        case let scenario? where scenario.hasPrefix("flux-"): try await FluxScenarios.run(scenario.dropFirst(5))
        case let scenario? where scenario.hasPrefix("cluster-"):
            let directory = CommandLine.arguments.last ?? ""
            try await ClusterScenarios.run(
                scenario.dropFirst(8), directory, .slurmCluster(cacheDirectory: "\(directory)/cache"))
        case let scenario? where scenario.hasPrefix("fluxcluster-"):
            let directory = CommandLine.arguments.last ?? ""
            try await ClusterScenarios.run(
                scenario.dropFirst(12), directory, .fluxCluster(cacheDirectory: "\(directory)/cache"))
        case let scenario? where scenario.hasPrefix("directories-"):
            try await DirectoryScenario.run(scenario.dropFirst(12), CommandLine.arguments.last ?? "")
        case let scenario? where scenario.hasPrefix("ending-"):
            try await EndingScenarios.run(scenario.dropFirst(7), CommandLine.arguments.last ?? "")
        case let other: print("no scenario \(other ?? "")")
        }
    }
}
