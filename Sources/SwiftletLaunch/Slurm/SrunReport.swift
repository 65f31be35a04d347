// SPDX-License-Identifier: BSD-3-Clause
import Glibc
public import SwiftletModel

/// What srun and the daemons of Slurm say about a step on its error output. The status of srun is that of the ranks that it ended itself,
/// where one of several has died.
public struct SrunReport {
    private let lines: [Substring]

    public init(_ errorOutput: String) { lines = errorOutput.split(separator: "\n") }

    /// How the first rank ended that did not end well; nil where that is not said, or not any more.
    public var firstDeath: ProcessEnd? { lines.lazy.compactMap(Self.death).first }

    /// A rank was killed for its memory.
    public var isOverMemory: Bool {
        lines.contains { line in
            let words = line.lowercased()
            if words.hasPrefix("srun: error: ") { return words.hasSuffix(": out of memory") }
            guard words.hasPrefix("slurmstepd"), words.contains(": error:") else { return false }
            return (words.contains("exceeded ") && words.contains("memory limit")) || words.contains("oom-kill")
                || words.contains("oom_kill") || words.contains("oom kill")
        }
    }

    /// `srun: error: NODE: task 1: Killed`, `srun: error: NODE: tasks 0,2: Exited with exit code 3`
    private static func death(_ line: Substring) -> ProcessEnd? {
        let parts = line.split(separator: ": ", maxSplits: 4)
        guard parts.count == 5, parts[0] == "srun", parts[1] == "error", parts[3].hasPrefix("task") else { return nil }
        if parts[4].hasPrefix("Exited with exit code "), let status = Int32(parts[4].dropFirst(22)) {
            return status > 128 && status < 128 + 65 ? .signalled(status - 128) : .exited(status: status)
        }
        let words = parts[4].hasSuffix(" (core dumped)") ? parts[4].dropLast(14) : parts[4]
        return (1..<Int32(32)).first { strsignal($0).map { String(cString: $0) == words } ?? false }.map { .signalled($0) }
    }
}
