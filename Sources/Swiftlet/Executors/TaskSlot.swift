// SPDX-License-Identifier: BSD-3-Clause
import Glibc
import SwiftletLaunch
import SwiftletModel
import SwiftletStore

/// What the task that this process runs was given of its machine: an executor on "this machine" that it makes has that, and no more.
struct TaskSlot: Equatable {
    /// Cores of this process; of a task of several ranks each has its share.
    let cores: Int
    /// Bytes of memory; nil: not limited.
    let memory: Int?

    static let variable = "SWIFTLET_SLOT"

    /// Of a task that is a job of a batch system.
    /// - Parameter cores: of all its ranks.
    static func json(cores: Int, ranks: Int, memory: Int) -> String {
        let placement = Slot.Placement(node: 0, name: hostName(), ranks: ranks, coreCount: cores, memory: UInt64(max(0, memory)))
        let request = SwiftletModel.ResourceRequest(cores: ranks, threadsPerCore: max(1, cores / max(1, ranks)))
        return SlotVariables(Slot(placements: [placement]), request: request, gpuVariable: nil, name: "job-\(getpid())").slot
    }

    /// nil outside of tasks.
    static var own: TaskSlot? {
        getenv(variable).flatMap { TaskSlot(String(cString: $0), isRank: TaskContext.isRankOfSeveral) }
    }

    /// As the engine writes it.
    init?(_ json: String, isRank: Bool) {
        guard case .list(let nodes)? = HeaderValue.members(ofJSON: json)?["nodes"], case .members(let node)? = nodes.first,
            case .integer(let count)? = node["core_count"], count > 0
        else { return nil }
        var ranks = 1
        if isRank, case .integer(let number)? = node["ranks"] { ranks = max(1, number) }
        cores = max(1, count / ranks)
        if case .integer(let bytes)? = node["memory"], bytes > 0 { memory = bytes } else { memory = nil }
    }

    /// - Throws: ``TaskError`` (`refused`) for an executor that is to have more than the task.
    func check(_ configuration: ExecutorConfiguration) throws(TaskError) {
        if let wanted = configuration.maxCores, wanted > cores {
            throw TaskError(
                .refused,
                "maxCores is \(wanted), but the task in which the executor is made has \(cores): give the task more, or ask for fewer"
            )
        }
        guard configuration.mode.isWarm, let workers = configuration.maxWorkers else { return }
        let (wanted, isTooMany) = workers.multipliedReportingOverflow(by: configuration.resources.occupiedCores)
        if isTooMany || wanted > cores {
            throw TaskError(
                .refused,
                "\(workers) warm workers of \(configuration.resources.occupiedCores) cores are more than the \(cores) cores of the task "
                    + "in which the executor is made: give the task more, or ask for fewer")
        }
    }
}
