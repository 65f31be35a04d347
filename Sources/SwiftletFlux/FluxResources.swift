// SPDX-License-Identifier: BSD-3-Clause

/// A node as an instance of Flux knows it.
public struct FluxNode: Hashable, Sendable {
    /// The rank of the node's broker.
    public var rank: Int
    public var host: String
    public var cores: [Int]
    public var gpus: [Int]

    public init(rank: Int, host: String, cores: [Int], gpus: [Int]) {
        self.rank = rank
        self.host = host
        self.cores = cores
        self.gpus = gpus
    }
}

/// A set of resources (RFC 20): what an instance has, or what a job got.
public struct FluxResources: Hashable, Sendable {
    /// By rank.
    public var nodes: [FluxNode]
    /// When it ends, in seconds since 1970; nil: never.
    public var expiration: Double?

    public init(nodes: [FluxNode], expiration: Double? = nil) {
        self.nodes = nodes
        self.expiration = expiration
    }

    public var coreCount: Int { nodes.reduce(0) { $0 + $1.cores.count } }
    public var gpuCount: Int { nodes.reduce(0) { $0 + $1.gpus.count } }

    /// Reads an R object of version 1. An empty set may come as null or as an object without R_lite.
    public init(_ json: JSON) throws(FluxProtocolError) {
        nodes = []
        guard json != .null, let execution = json["execution"] else { return }
        let hosts = try Self.hosts(execution["nodelist"])
        for entry in execution["R_lite"]?.array ?? [] {
            guard let text = Self.idText(entry["rank"]), let ranks = RangeList.ids(text) else {
                throw FluxProtocolError("a resource set without ranks")
            }
            let cores = try Self.children(entry["children"]?["core"], "cores")
            let gpus = try Self.children(entry["children"]?["gpu"], "GPUs")
            guard nodes.count + ranks.count <= 1_000_000 else { throw FluxProtocolError("a resource set of too many nodes") }
            for rank in ranks { nodes.append(FluxNode(rank: rank, host: "", cores: cores, gpus: gpus)) }
        }
        nodes.sort { $0.rank < $1.rank }
        for (index, host) in zip(nodes.indices, hosts) { nodes[index].host = host }
        if let end = execution["expiration"]?.number, end > 0 { expiration = end }
    }

    private static func hosts(_ list: JSON?) throws(FluxProtocolError) -> [String] {
        var hosts: [String] = []
        for word in list?.array ?? [] {
            guard let text = word.string, let unfolded = RangeList.hosts(text) else {
                throw FluxProtocolError("a resource set with an unreadable nodelist")
            }
            hosts.append(contentsOf: unfolded)
        }
        return hosts
    }

    private static func children(_ value: JSON?, _ what: String) throws(FluxProtocolError) -> [Int] {
        guard let value else { return [] }
        guard let text = idText(value), let ids = RangeList.ids(text) else {
            throw FluxProtocolError("a resource set with unreadable \(what)")
        }
        return ids
    }

    private static func idText(_ value: JSON?) -> String? {
        switch value {
        case .string(let text): text
        case .integer(let number): String(number)
        default: nil
        }
    }
}
