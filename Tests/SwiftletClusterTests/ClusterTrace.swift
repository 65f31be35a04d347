// SPDX-License-Identifier: BSD-3-Clause
import SwiftletCluster
import SwiftletModel

/// A table at work with a clock of its own; each step gives the actions it led to.
struct ClusterTrace {
    var table: ClusterTable
    var milliseconds: UInt64 = 0
    /// The entries of each submission so far.
    private(set) var submitted: [[UInt32]] = []

    init(_ change: (inout JobLimits) -> Void = { _ in }) {
        var limits = JobLimits(system: "test", arraySize: 3)
        change(&limits)
        table = ClusterTable(limits: limits)
    }

    mutating func handle(_ event: ClusterEvent) -> [ClusterAction] {
        var actions: [ClusterAction] = []
        table.handle(event, at: Instant(nanoseconds: milliseconds * 1_000_000), into: &actions)
        for case .submit(_, _, let entries, _) in actions { submitted.append(entries.map(\.rawValue)) }
        return actions.filter { if case .wake = $0 { false } else { true } }
    }

    mutating func submit(_ task: UInt64, entry: UInt32? = nil, request: UInt32 = 1, inputs: [UInt64] = []) -> [ClusterAction] {
        handle(
            .submit(TaskID(task), EntryID(entry ?? UInt32(task)), request: RequestID(request), inputs: inputs.map(TaskID.init)))
    }

    /// Submits a call whose entry is free.
    mutating func claim(_ task: UInt64, request: UInt32 = 1, inputs: [UInt64] = []) -> [ClusterAction] {
        _ = submit(task, request: request, inputs: inputs)
        return handle(.looked(EntryID(UInt32(task)), .claimed))
    }

    mutating func after(_ duration: UInt64) -> [ClusterAction] {
        milliseconds += duration
        return handle(.timePassed)
    }

    /// A call that is job `task` of the system, alone in its batch.
    mutating func queue(_ task: UInt64, inputs: [UInt64] = []) -> [ClusterAction] {
        _ = claim(task, inputs: inputs)
        let actions = after(50)
        guard case .submit(let batch, _, _, _)? = actions.first(where: { if case .submit = $0 { true } else { false } }) else {
            return actions
        }
        return actions + handle(.queued(batch, [JobID(task)]))
    }
}

extension ClusterAction {
    static func submit(_ batch: UInt32, _ entries: [UInt32], dependencies: [UInt64] = [], request: UInt32 = 1) -> Self {
        .submit(
            BatchID(batch), request: RequestID(request), entries.map(EntryID.init), dependencies: dependencies.map { JobID($0) })
    }

    static func ended(_ task: UInt64, entry: UInt32? = nil, _ outcome: Outcome, tellClient: Bool = true) -> Self {
        .ended(TaskID(task), EntryID(entry ?? UInt32(task)), outcome, tellClient: tellClient)
    }
}
