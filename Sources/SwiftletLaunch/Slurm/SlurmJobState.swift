// SPDX-License-Identifier: BSD-3-Clause

/// The state of a job in Slurm's own words. New versions add words, so an unknown one is kept as it is.
public struct SlurmJobState: Hashable, Sendable, CustomStringConvertible {
    /// Upper case, without what sacct adds (`CANCELLED by 0`).
    public let name: String

    public init(_ text: some StringProtocol) {
        let word = text.split(separator: " ").first ?? "UNKNOWN"
        name = word.hasSuffix("+") ? String(word.dropLast()) : String(word)
    }

    public var description: String { name }

    /// Not one process of the job is left, and Slurm will not start it again.
    public var hasEnded: Bool { Self.ended[name] != nil }
    public var isPending: Bool { Self.pending.contains(name) }
    /// Ended without anything having gone wrong, as far as Slurm knows.
    public var isComplete: Bool { name == "COMPLETED" }
    /// The machine's fault, not the call's: it is no attempt of the call.
    public var isLossOfNode: Bool { ["NODE_FAIL", "BOOT_FAIL", "PREEMPTED", "REVOKED", "LAUNCH_FAILED"].contains(name) }

    /// What an end means in plain words.
    public var meaning: String { Self.ended[name] ?? "is \(name.lowercasedASCII)" }

    private static let pending: Set<String> = [
        "PENDING", "CONFIGURING", "REQUEUED", "REQUEUE_FED", "REQUEUE_HOLD", "RESV_DEL_HOLD", "SPECIAL_EXIT",
    ]

    private static let ended: [String: String] = [
        "BOOT_FAIL": "its node did not start",
        "CANCELLED": "it was cancelled",
        "COMPLETED": "it ended",
        "DEADLINE": "it could not end before its deadline",
        "FAILED": "it failed",
        "LAUNCH_FAILED": "it could not be launched",
        "NODE_FAIL": "its node failed",
        "OUT_OF_MEMORY": "it was out of memory",
        "PREEMPTED": "it was preempted",
        "RECONFIG_FAIL": "its node could not be reconfigured",
        "REVOKED": "it was revoked",
        "TIMEOUT": "it reached its time limit",
    ]
}

extension String {
    var lowercasedASCII: String {
        String(decoding: utf8.map { (65...90).contains($0) ? $0 + 32 : $0 }, as: UTF8.self)
    }
}
