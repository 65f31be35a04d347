// SPDX-License-Identifier: BSD-3-Clause
import Glibc

/// Which one this process is of those that run each of its tasks together.
struct Rank: Sendable {
    let number: Int
    let count: Int
    /// A launcher has started it, as all others; else the first of them did.
    var isLaunched = false

    /// As the environment says, which then says it to nobody else: what a task starts is no rank of its group.
    static func fromEnvironment() -> Rank {
        if let count = number("SWIFTLET_LAUNCHED_RANKS") {
            unsetenv("SWIFTLET_LAUNCHED_RANKS")
            // As the launcher counts; MPI's own variables stay for MPI.
            let names = ["FLUX_TASK_RANK", "SLURM_PROCID", "PMIX_RANK", "PMI_RANK"]
            return Rank(number: names.lazy.compactMap(number).first ?? 0, count: count, isLaunched: true)
        }
        let rank = Rank(number: number("SWIFTLET_RANK") ?? 0, count: number("SWIFTLET_RANKS") ?? 1)
        unsetenv("SWIFTLET_RANK")
        unsetenv("SWIFTLET_RANKS")
        return rank
    }

    /// What another rank finds in its environment.
    func variables(with environment: [String]) -> [String] {
        let own = ["SWIFTLET_RANK=\(number)", "SWIFTLET_RANKS=\(count)"]
        return environment.map { Self.part(of: $0, rank: number, of: count) } + own
    }

    /// Takes its own part of the GPUs that the group has.
    func takePart() {
        for variable in environmentVariables() {
            let part = Self.part(of: variable, rank: number, of: count)
            guard part != variable, let sign = part.firstIndex(of: "=") else { continue }
            setenv(String(part[..<sign]), String(part[part.index(after: sign)...]), 1)
        }
    }

    private static func number(_ name: String) -> Int? { getenv(name).flatMap { Int(String(cString: $0)) } }

    /// A variable that names GPUs as one rank gets it, where they can be shared out evenly; any other as it is.
    static func part(of variable: String, rank: Int, of count: Int) -> String {
        for name in ["CUDA_VISIBLE_DEVICES=", "ROCR_VISIBLE_DEVICES="] where variable.hasPrefix(name) {
            let all = variable.dropFirst(name.utf8.count).split(separator: ",")
            guard all.count >= count, all.count % count == 0 else { return variable }
            let size = all.count / count
            return name + all[rank * size..<(rank + 1) * size].joined(separator: ",")
        }
        return variable
    }
}
