// SPDX-License-Identifier: BSD-3-Clause
import SwiftletFlux
import Testing

@Suite struct JobspecTests {
    /// The same value with the members of every object in order.
    private func ordered(_ value: JSON) -> JSON {
        switch value {
        case .array(let values): .array(values.map(ordered))
        case .object(let members):
            .object(members.map { .init(key: $0.key, value: ordered($0.value)) }.sorted { $0.key < $1.key })
        case .integer(let number): .number(Double(number))
        default: value
        }
    }

    private func expect(_ spec: Jobspec, is recorded: String) throws {
        #expect(ordered(spec.json) == ordered(try JSON(parsing: recorded)))
    }

    @Test func oneTask() throws {
        var spec = Jobspec(command: ["true"])
        spec.environment = [("A", "B")]
        spec.directory = "/tmp"
        try expect(spec, is: RecordedSpec.one)
    }

    @Test func ranksWithThreadsAndGPUs() throws {
        var spec = Jobspec(command: ["true", "x"])
        (spec.tasks, spec.coresPerTask, spec.gpusPerTask) = (4, 2, 1)
        spec.options["pmi"] = "simple"
        spec.duration = 90
        spec.directory = "/tmp"
        spec.name = "hello"
        spec.standardOutput = .file("o.txt")
        spec.standardErrors = .file("e.txt")
        try expect(spec, is: RecordedSpec.ranks)
    }

    @Test func overNodes() throws {
        var spec = Jobspec(command: ["true"])
        (spec.tasks, spec.coresPerTask, spec.nodes) = (4, 2, 2)
        spec.directory = "/tmp"
        try expect(spec, is: RecordedSpec.nodes)
    }

    @Test func wholeNodes() throws {
        var spec = Jobspec(command: ["true"])
        (spec.tasks, spec.nodes, spec.isExclusive) = (2, 2, true)
        spec.directory = "/tmp"
        try expect(spec, is: RecordedSpec.exclusive)
    }

    @Test func afterOtherJobsOnNamedNodes() throws {
        var spec = Jobspec(command: ["true"])
        spec.dependencies = [.init(scheme: "afterok", value: "f12345"), .init(scheme: "afterany", value: "f1")]
        (spec.queue, spec.bank, spec.hosts, spec.directory) = ("batch", "bank", ["node1"], "/tmp")
        try expect(spec, is: RecordedSpec.dependent)
    }

    @Test func tasksThatDoNotDivideEvenlyAreCounted() {
        var spec = Jobspec(command: ["true"])
        (spec.tasks, spec.nodes) = (3, 2)
        #expect(spec.json["tasks"]?.array?.first?["count"] == ["total": 3])
        let node = spec.json["resources"]?.array?.first
        #expect(node?["count"] == 2 && node?["with"]?.array?.first?["count"] == 2)
    }

    @Test func whatTheUserSaysOfGPUAffinityCounts() {
        var spec = Jobspec(command: ["true"])
        spec.gpusPerTask = 1
        spec.options["gpu-affinity"] = "off"
        #expect(spec.json["attributes"]?["system"]?["shell"]?["options"]?["gpu-affinity"] == "off")
    }
}
