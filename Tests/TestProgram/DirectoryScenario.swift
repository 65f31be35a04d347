// SPDX-License-Identifier: BSD-3-Clause
// What a relative directory means: where the program is when it submits, whatever runs the task.
import Glibc
import Swiftlet

enum DirectoryScenario {
    /// What is the same on every executor; on those with warm workers of one rank it ends before the ranks.
    static let expected = [
        "command two/in", "command of a request two/in", "command one/in", "command of a request one/in", "task one/in",
        "both one/in/deep", "unsaid one one", "ranks one/in one/in",
    ]

    static func run(_ site: Substring, _ directory: String) async throws {
        guard system("mkdir -p '\(directory)/one/in/deep' '\(directory)/two/in'") == 0, let whole = realpath(directory, nil)
        else {
            throw OutOfRange(number: 0)
        }
        let cache = "\(directory)/cache"
        let sites: [Substring: ExecutorConfiguration] = [
            "fresh": .singleNode(maxCores: 2), "warm": .singleNode(maxWorkers: 2, mode: .warm),
            "slurm": .slurmJob(), "slurm-warm": .slurmJob(mode: .warm), "slurm-cluster": .slurmCluster(cacheDirectory: cache),
            "flux": .fluxJob(), "flux-warm": .fluxJob(maxWorkers: 2, mode: .warm),
            "flux-cluster": .fluxCluster(cacheDirectory: cache),
        ]
        guard let configuration = sites[site] else { return print("no executor \(site)") }
        try await run(configuration, String(cString: whole) + "/", hasRanks: !site.hasSuffix("warm"))
    }

    /// Prints where tasks and programs run, below `root`.
    private static func run(_ configuration: ExecutorConfiguration, _ root: String, hasRanks: Bool) async throws {
        func below(_ path: String) -> String {
            let path = path.hasSuffix("\n") ? String(path.dropLast()) : path
            return path.hasPrefix(root) ? String(path.dropFirst(root.count)) : path
        }
        let inside = ResourceRequest(workingDirectory: "in")
        chdir(root + "one")
        try await withExecutor(configuration) { executor in
            var commands: [(String, TaskHandle<CommandResult>)] = []
            for place in ["two", "one"] {
                chdir(root + place)
                commands.append(("command", try executor.submit(Command("pwd", workingDirectory: "in"))))
                commands.append(("command of a request", try executor.submit(Command("pwd"), resources: inside)))
            }
            let task = try executor.submit(Where(), resources: inside)
            let both = try executor.submit(
                Command("pwd", workingDirectory: "in/deep"), resources: ResourceRequest(workingDirectory: "/tmp"))
            let pair = ResourceRequest(cores: 2)
            let ranks =
                hasRanks ? try executor.submitToRanks(Command("pwd", workingDirectory: "in"), resources: pair) : nil
            chdir("/")
            let unsaid = (try executor.submit(Where()), try executor.submit(Command("pwd")))
            for (what, command) in commands { print(what, below(try await command.value.standardOutput)) }
            print("task", below(try await task.value.directory))
            print("both", below(try await both.value.standardOutput))
            print("unsaid", below(try await unsaid.0.value.directory), below(try await unsaid.1.value.standardOutput))
            guard let ranks else { return }
            print("ranks", try await ranks.value.map { below($0.standardOutput) }.joined(separator: " "))
        }
    }
}
