// SPDX-License-Identifier: BSD-3-Clause
import SwiftletCluster
import SwiftletLaunch
import SwiftletWire

extension SlurmBatch {
    /// What a batch of calls is for Slurm. Calls of one batch have one command but for its last argument, their entry.
    init(_ batch: JobBatch) {
        let first = batch.calls[0]
        let folder = String(first.path[..<(first.path.lastIndex(of: "/") ?? first.path.startIndex)])
        self.init(
            name: Self.jobName(first.function), directory: batch.directives[text: "cwd"] ?? folder, logs: folder,
            resources: SlurmResources(batch.directives), dependencies: batch.dependencies.map(SlurmJobID.init),
            command: Array(first.command.dropLast()), entries: batch.calls.map { $0.command.last ?? "" })
    }

    /// What only the engine knows of the variables of a user's template.
    var variables: Attributes {
        templateVariables(
            command: commandLine, name: name, directory: directory, dependencies: dependencies.map(\.description))
    }

    /// A function's name as one that squeue shows: `<lambda>` and the like would confuse who reads or quotes it.
    static func jobName(_ function: String) -> String {
        let name = String(
            function.unicodeScalars.filter {
                $0.properties.isAlphabetic || $0.properties.numericType != nil || $0 == "_" || $0 == "."
            })
        return name.isEmpty ? "call" : name
    }
}

extension SlurmResources {
    /// From the client's REQUEST.
    init(_ directives: Attributes) {
        self.init()
        ranks = directives[integer: "cores"] ?? 1
        threads = directives[integer: "threads_per_core"] ?? 1
        gpus = directives[integer: "gpus_per_core"] ?? 0
        nodes = directives[integer: "num_nodes"].flatMap { $0 > 1 ? $0 : nil }
        exclusive = directives[integer: "exclusive"] == 1
        memory = UInt64(directives[integer: "memory"] ?? 0)
        timeLimit = directives[number: "time_limit"].flatMap { $0 > 0 ? UInt64(min($0, 1e9) * 1e9) : nil }
        priority = directives[integer: "priority"].flatMap { $0 == 0 ? nil : $0 }
        mpi = directives[text: "pmi_mode"]
        oversubscribe = directives[integer: "oversubscribe"] == 1
        options = (directives[list: "batch_options"] ?? []).map(Option.init(parsing:))
    }
}
