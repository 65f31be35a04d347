// SPDX-License-Identifier: BSD-3-Clause
import SwiftletFlux
import SwiftletModel
public import SwiftletWire

/// What an agent's process may use of its node, as its HELLO says it: what a launcher has bound it to.
public struct AgentPlace: Hashable, Sendable {
    /// Its cores, each as its logical processors.
    public var cores: [[Int]] = []
    /// The variable that says which GPUs it sees; nil: none.
    public var gpuVariable: String?
    /// These GPUs, in the vendor's words.
    public var gpus: [String] = []

    public init() {}

    public init(_ attributes: Attributes) {
        cores = (attributes[list: "cores"] ?? []).compactMap { RangeList.ids($0) }
        gpuVariable = attributes[text: "gpu_variable"]
        gpus = attributes[list: "gpus"] ?? []
    }

    public func write(to attributes: inout Attributes) {
        attributes[list: "cores"] = cores.map { RangeList.text($0) }
        guard let gpuVariable else { return }
        attributes[text: "gpu_variable"] = gpuVariable
        attributes[list: "gpus"] = gpus
    }

    /// The part of one of several equal places: nil where it cannot be divided evenly, as where cores are only counted.
    public func cores(of place: Int, count: Int, of places: Int) -> [[Int]]? { Self.part(cores, place, count, places) }

    /// The same for GPUs.
    public func gpus(of place: Int, count: Int, of places: Int) -> [String]? { Self.part(gpus, place, count, places) }

    private static func part<Element>(_ all: [Element], _ place: Int, _ count: Int, _ places: Int) -> [Element]? {
        guard all.count == count * places, place < places else { return nil }
        return Array(all[place * count..<(place + 1) * count])
    }
}

extension AgentPlace {
    /// This process's.
    static var own: AgentPlace {
        var place = AgentPlace()
        let status = ProcessTree.readFile("/proc/self/status") ?? ""
        let allowed = status.split(separator: "\n").first { $0.hasPrefix("Cpus_allowed_list:") }?.dropFirst(18)
        place.cores = cores(allowed?.filter { $0 != "\t" && $0 != " " } ?? "") { processor in
            ProcessTree.readFile("/sys/devices/system/cpu/cpu\(processor)/topology/thread_siblings_list")
        }
        let shown = NodeEnvironment.gpuVariables(processEnvironment()).lazy.compactMap(gpus).first
        place.gpuVariable = shown?.variable
        place.gpus = shown?.ids ?? []
        return place
    }

    /// The cores that processors belong to, each with those of its processors that are in the list.
    static func cores(_ list: String, siblings: (Int) -> String?) -> [[Int]] {
        let processors = RangeList.ids(list) ?? []
        let allowed = Set(processors)
        return processors.compactMap { processor in
            let text = siblings(processor)?.filter { $0 != "\n" } ?? ""
            let own = (RangeList.ids(text) ?? []).filter(allowed.contains).sorted()
            guard let first = own.first else { return [processor] }
            return first == processor ? own : nil
        }
    }

    /// Of a variable `NAME=value` that shows GPUs.
    static func gpus(_ variable: String) -> (variable: String, ids: [String])? {
        let parts = variable.split(separator: "=", maxSplits: 1)
        guard parts.count == 2, parts[1] != "-1" else { return nil }
        return (String(parts[0]), parts[1].split(separator: ",").map(String.init))
    }
}
