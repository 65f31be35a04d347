// SPDX-License-Identifier: BSD-3-Clause
public import SwiftletModel
import SwiftletWire

/// What a worker's processes are told of their slot: variables, and the cores they may run on.
public struct SlotVariables: Hashable, Sendable {
    /// `NAME=value`.
    public var variables: [String]
    /// The cores of the first node as a list, empty where they are only counted.
    public var cores: String
    /// The slot as JSON, as it stands in SWIFTLET_SLOT.
    public var slot: String

    /// - Parameters:
    ///   - gpuVariable: the one variable by which the vendor's libraries are told which GPUs they see; nil: no GPUs are managed.
    ///   - name: of the slot, different from those of all other slots on the node.
    ///   - takesAllGPUs: the first of several ranks is told of the GPUs of all, and shares them out; else each finds its own in the slot.
    public init(_ slot: Slot, request: ResourceRequest, gpuVariable: String?, name: String, takesAllGPUs: Bool = false) {
        cores = slot.placements.first.map { coreList($0.cores) } ?? ""
        self.slot = Self.json(slot, request, gpuVariable, name)
        variables = ["SWIFTLET_SLOT=" + self.slot]
        if let gpuVariable, !request.isGroup || takesAllGPUs {
            variables.append("\(gpuVariable)=" + (slot.placements.first?.gpus ?? []).joined(separator: ","))
        }
    }

    /// Thread variables for what is started with this environment and imports before it hears of its first call.
    public static func threads(_ request: ResourceRequest, in environment: [String]) -> [String] {
        let names = [
            "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS", "VECLIB_MAXIMUM_THREADS",
        ]
        return names.compactMap { name in
            let isSet = environment.contains { $0.hasPrefix("\(name)=") }
            return request.threadsPerCore == 1 && isSet ? nil : "\(name)=\(request.threadsPerCore)"
        }
    }

    private static func json(_ slot: Slot, _ request: ResourceRequest, _ gpuVariable: String?, _ name: String) -> String {
        let nodes = slot.placements.map { placement in
            let gpus = placement.gpus.map { quoted($0) }.joined(separator: ",")
            return "{\"name\":\(quoted(placement.name)),\"ranks\":\(placement.ranks),\"core_count\":\(placement.coreCount),"
                + "\"cores\":\"\(coreList(placement.cores))\",\"gpus\":[\(gpus)],\"memory\":\(placement.memory)}"
        }
        return "{\"name\":\(quoted(name)),\"threads_per_core\":\(request.threadsPerCore),"
            + "\"gpu_variable\":\(gpuVariable.map { quoted($0) } ?? "null"),\"nodes\":[\(nodes.joined(separator: ","))]}"
    }

    private static func quoted(_ text: String) -> String {
        var quoted = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": quoted += "\\\""
            case "\\": quoted += "\\\\"
            case _ where scalar.value < 32: quoted += " "
            default: quoted.unicodeScalars.append(scalar)
            }
        }
        return quoted + "\""
    }
}

/// An environment with variables replaced or added.
public func environment(_ environment: [String], with variables: [String]) -> [String] {
    let names = Set(variables.map { $0.prefix { $0 != "=" } })
    return environment.filter { !names.contains($0.prefix { $0 != "=" }) } + variables
}
