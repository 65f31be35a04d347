// SPDX-License-Identifier: BSD-3-Clause
import Glibc
import SwiftletLaunch
import SwiftletWire

/// Where the tasks of an executor on Slurm run: the nodes of the allocation this program is in, or where srun finds some.
struct SlurmNodes: Sendable {
    /// nil: each worker is an srun that asks for an allocation.
    let allocation: SlurmAllocation?
    /// As CONFIGURE describes the nodes.
    let nodes: [String]
    /// Numeric address at which they reach this program.
    let address: String

    var hasGPUs: Bool { allocation?.shares.contains { !$0.gpus.isEmpty } ?? false }

    /// Cores of all nodes.
    private(set) var cores = 0
    /// Cores of the largest node.
    private(set) var largestNode = 0

    /// Asks Slurm what this program runs in.
    /// - Throws: ``TaskError`` (`refused`) where there is no Slurm, the allocation is not there any more, or no address is found.
    static func find(address: String?) async throws(TaskError) -> SlurmNodes {
        guard let job = variable("SLURM_JOB_ID") ?? variable("SLURM_JOBID") else {
            let config = try await answer("show", "config")
            let controllers = config.split(separator: "\n").filter { $0.hasPrefix("SlurmctldHost") }
                .compactMap { $0.split(separator: "(").last?.split(separator: ")").first.map(String.init) }
            return SlurmNodes(allocation: nil, nodes: [], address: try await ReachableAddress.find(address, towards: controllers))
        }
        do {
            return try await find(job: job, address: address)
        } catch {
            throw TaskError(
                .refused,
                "SLURM_JOB_ID says that this program runs in job \(job), but \(error.description). Where it does not, unset "
                    + "SLURM_JOB_ID: srun then asks for an allocation")
        }
    }

    private static func find(job: String, address: String?) async throws(TaskError) -> SlurmNodes {
        let line = try await answer("show", "job", "-o", "-d", job)
        let allocation: SlurmAllocation
        do { allocation = try SlurmAllocation(job: job, line: line) } catch { throw TaskError(.refused, error.description) }
        var names: [String] = []
        var words: [String] = []
        var cores = 0
        for share in allocation.shares {
            let expanded = try await answer("show", "hostnames", share.names).split(separator: "\n").map(String.init)
            names += expanded
            words += expanded.map { share.words(node: $0) }
            cores += expanded.count * share.cores
        }
        var peers = names
        if let listed = try? await answer("show", "node", "-o", names.joined(separator: ",")) {
            peers = listed.split { $0 == " " || $0 == "\n" }.filter { $0.hasPrefix("NodeAddr=") }.map { String($0.dropFirst(9)) }
        }
        return SlurmNodes(
            allocation: allocation, nodes: words, address: try await ReachableAddress.find(address, towards: peers), cores: cores,
            largestNode: allocation.shares.map(\.cores).max() ?? 0)
    }

    private static func variable(_ name: String) -> String? {
        getenv(name).map { String(cString: $0) }.flatMap { $0.isEmpty ? nil : $0 }
    }

    /// What scontrol says.
    private static func answer(_ arguments: String...) async throws(TaskError) -> String {
        let result: CommandResult
        do { result = try await CommandRunner.run(Command("scontrol", arguments: arguments), keeping: 1 << 30) } catch {
            throw TaskError(.refused, "there is no Slurm here: \(error.description)")
        }
        guard result.isSuccess else {
            throw TaskError(
                .refused, "scontrol \(arguments.joined(separator: " ")) failed: \(result.standardError.trimmingLineEnd)")
        }
        return result.standardOutput
    }

    /// As CONFIGURE carries it, for workers that are `program`.
    func add(to attributes: inout Attributes, program: String, build: String, environment: [String]) {
        attributes[text: "nodes_by"] = "slurm"
        attributes[list: "agent"] = [program, ProcessRole.agent]
        attributes[list: "step_worker"] = [program, ProcessRole.step, build]
        attributes[text: "listen_address"] = address
        guard let allocation else { return }
        attributes[text: "slurm_job"] = allocation.job
        attributes[list: "nodes"] = nodes
        attributes[integer: "agents"] = 1
        // An external program may be ranks of MPI on several nodes.
        attributes[integer: "groups_span_nodes"] = 1
        if hasGPUs {
            let isAMD = environment.contains { $0.hasPrefix("ROCR_VISIBLE_DEVICES=") }
            attributes[text: "gpu_variable"] = isAMD ? "ROCR_VISIBLE_DEVICES" : "CUDA_VISIBLE_DEVICES"
        }
    }
}

extension String {
    var trimmingLineEnd: Substring {
        var text = self[...]
        while text.last?.isNewline == true { text = text.dropLast() }
        return text
    }
}
