// SPDX-License-Identifier: BSD-3-Clause
public import SwiftletModel

/// What Slurm said of one job or array element at one moment.
public struct SlurmJobReport: Hashable, Sendable {
    public var id: SlurmJobID
    public var state: SlurmJobState
    /// Why it waits or why it ended, in Slurm's word; empty where there is none.
    public var reason: String
    /// How its script ended; nil where it has not, or was not started.
    public var end: ProcessEnd?
    /// Its nodes in Slurm's short form, `n[1-2]`; empty before it has any.
    public var nodes: String

    public init(id: SlurmJobID, state: SlurmJobState, reason: String = "", end: ProcessEnd? = nil, nodes: String = "") {
        self.id = id
        self.state = state
        self.reason = reason
        self.end = end
        self.nodes = nodes
    }

    /// It waits for a job that has failed: Slurm keeps such a job for ever unless told otherwise.
    public var waitsForTheDead: Bool { state.isPending && reason == "DependencyNeverSatisfied" }

    /// It may wait for ever: what it asks for is beyond what the site allows or has, unless somebody changes that.
    public var mayNeverStart: Bool { state.isPending && Self.lasting.contains { reason.hasPrefix($0) } }

    private static let lasting = [
        "AccountNotAllowed", "AccountingPolicy", "BadConstraints", "InvalidAccount", "InvalidQOS", "JobHeldAdmin", "JobHeldUser",
        "PartitionConfig", "PartitionDown", "PartitionInactive", "PartitionNodeLimit", "PartitionTimeLimit", "QOSNotAllowed",
        "ReqNodeNotAvail", "ReservationDeleted",
    ]

    /// One line that says how the job ended: what happened, which job, where, and how its script left.
    public var account: String {
        var text = "Slurm job \(id)"
        if !nodes.isEmpty { text += " on \(nodes)" }
        text += ": \(state.meaning) (\(state)"
        if !reason.isEmpty { text += ", \(reason)" }
        text += ")"
        switch end {
        case .exited(status: 0), nil: break
        case .some(let end): text += "; its script \(end)"
        }
        return text
    }
}
