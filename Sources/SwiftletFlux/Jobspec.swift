// SPDX-License-Identifier: BSD-3-Clause

/// What a job is to be (RFC 25, version 1). A value; `json` is what the broker is given.
public struct Jobspec: Hashable, Sendable {
    /// Where the output of a stream goes; a path may hold Flux's templates such as `{{id}}`.
    public enum Output: Hashable, Sendable {
        /// Kept by Flux, with the job.
        case kept
        case file(String)
    }

    /// What another job has to do before this one may start.
    public struct Dependency: Hashable, Sendable {
        /// `afterok`, `afterany`, `afternotok`, `afterstart`, …
        public let scheme: String
        public let value: String

        public init(scheme: String, value: String) {
            self.scheme = scheme
            self.value = value
        }
    }

    public var command: [String]
    /// How many tasks are started: MPI ranks. One for each slot, unless `onePerNode`.
    public var tasks = 1
    public var coresPerTask = 1
    public var gpusPerTask = 0
    /// Over how many nodes the tasks are spread; nil: Flux's choice.
    public var nodes: Int?
    /// Whole nodes; needs `nodes`.
    public var isExclusive = false
    /// One task on each node, whatever the number of slots: agents, and the brokers of an instance.
    public var onePerNode = false
    public var directory: String?
    /// Seconds; 0: no limit.
    public var duration = 0.0
    public var environment: [(name: String, value: String)] = []
    public var name: String?
    public var standardOutput = Output.kept
    public var standardErrors = Output.kept
    /// Shell options `pmi`, `cpu-affinity`, `mpi`, …, as `flux run -o` takes them.
    public var options: [String: JSON] = [:]
    public var dependencies: [Dependency] = []
    public var queue: String?
    public var bank: String?
    /// Only nodes of these names.
    public var hosts: [String] = []

    public init(command: [String]) { self.command = command }

    /// Each rank gets GPUs of its own. (By default every rank of a job sees all GPUs of the job.)
    private var shellOptions: [String: JSON] {
        var options = options
        if gpusPerTask > 0, options["gpu-affinity"] == nil { options["gpu-affinity"] = "per-task" }
        if onePerNode { options["per-resource"] = ["type": "node"] }
        var output: [JSON.Member] = []
        for (stream, place) in [("stdout", standardOutput), ("stderr", standardErrors)] {
            if case .file(let path) = place {
                output.append(JSON.Member(key: stream, value: ["type": "file", "path": .string(path)]))
            }
        }
        if !output.isEmpty { options["output"] = .object(output) }
        return options
    }

    public var json: JSON {
        ["resources": [resources], "tasks": [task], "attributes": ["system": .object(system)], "version": 1]
    }

    private var resources: JSON {
        var parts: [JSON] = [["type": "core", "count": .integer(Int64(coresPerTask))]]
        if gpusPerTask > 0 { parts.append(["type": "gpu", "count": .integer(Int64(gpusPerTask))]) }
        // Slots are equal on all nodes; where the tasks do not divide evenly the last node starts fewer.
        let slots = nodes.map { (tasks + $0 - 1) / max($0, 1) } ?? tasks
        let slot: JSON = ["type": "slot", "count": .integer(Int64(slots)), "with": .array(parts), "label": "task"]
        guard let nodes else { return slot }
        var node: [JSON.Member] = [.init(key: "type", value: "node"), .init(key: "count", value: .integer(Int64(nodes)))]
        if isExclusive { node.append(.init(key: "exclusive", value: true)) }
        node.append(.init(key: "with", value: [slot]))
        return .object(node)
    }

    private var task: JSON {
        let isEven = nodes.map { $0 > 0 && tasks % $0 == 0 } ?? true
        let count: JSON = onePerNode || isEven ? ["per_slot": 1] : ["total": .integer(Int64(tasks))]
        return ["command": .array(command.map { .string($0) }), "slot": "task", "count": count]
    }

    private var system: [JSON.Member] {
        var system: [JSON.Member] = [.init(key: "duration", value: .number(duration))]
        system.append(
            .init(key: "environment", value: .object(environment.map { .init(key: $0.name, value: .string($0.value)) })))
        if let directory { system.append(.init(key: "cwd", value: .string(directory))) }
        if let queue { system.append(.init(key: "queue", value: .string(queue))) }
        if let bank { system.append(.init(key: "bank", value: .string(bank))) }
        if let name { system.append(.init(key: "job", value: ["name": .string(name)])) }
        let options = shellOptions.sorted { $0.key < $1.key }.map { JSON.Member(key: $0.key, value: $0.value) }
        if !options.isEmpty { system.append(.init(key: "shell", value: ["options": .object(options)])) }
        if !dependencies.isEmpty {
            system.append(
                .init(
                    key: "dependencies",
                    value: .array(dependencies.map { ["scheme": .string($0.scheme), "value": .string($0.value)] })))
        }
        if !hosts.isEmpty {
            system.append(.init(key: "constraints", value: ["hostlist": .array(hosts.map { .string($0) })]))
        }
        return system
    }

    public static func == (left: Jobspec, right: Jobspec) -> Bool { left.json == right.json }

    public func hash(into hasher: inout Hasher) { hasher.combine(json) }
}
