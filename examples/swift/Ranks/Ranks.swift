// SPDX-License-Identifier: BSD-3-Clause
// One task on several processes, as MPI programs are written: each rank does its part, known by its number.
// With --slurm on the nodes of the allocation it runs in: salloc -N2 -n8 .build/release/Ranks --slurm
import Swiftlet

/// π by the midpoint rule: each rank sums every n-th strip.
struct PartOfPi: RemoteTask {
    let strips: Int

    func run() async throws -> Double {
        let (rank, count) = TaskContext.current.map { ($0.rank, $0.rankCount) } ?? (0, 1)
        let width = 1 / Double(strips)
        return stride(from: rank, to: strips, by: count).reduce(0) { sum, strip in
            let x = (Double(strip) + 0.5) * width
            return sum + 4 / (1 + x * x) * width
        }
    }
}

@main struct Ranks: TaskProgram {
    static func body() async throws {
        let isOnSlurm = CommandLine.arguments.contains("--slurm")
        try await withExecutor(isOnSlurm ? .slurmJob() : .singleNode(maxCores: 4)) { executor in
            var ranks = ResourceRequest(cores: 4)
            // There srun starts each rank, on any node, so that run() could call the site's MPI (by C interop) to sum up.
            ranks.usesMPI = isOnSlurm
            let parts = try executor.submitToRanks(PartOfPi(strips: 1_000_000), resources: ranks)
            let values = try await parts.value
            print("\(values.count) ranks: \((values.reduce(0, +) * 1e6).rounded() / 1e6)")
        }
    }
}
