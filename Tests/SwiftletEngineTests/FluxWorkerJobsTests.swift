// SPDX-License-Identifier: BSD-3-Clause
import SwiftletFlux
import SwiftletModel
import SwiftletWire
import Testing

@testable import SwiftletEngine
@testable import SwiftletLaunch

/// The jobs of an executor in a Flux instance, as data.
@Suite struct FluxWorkerJobsTests {
    private func jobs(_ more: [String: Int] = [:], pmi: String? = nil) throws -> FluxWorkerJobs {
        var attributes = Attributes()
        attributes[text: "nodes_by"] = "flux"
        attributes[text: "engine"] = "/opt/swiftlet"
        attributes[text: "flux_directory"] = "/tmp/tickets"
        attributes[text: "flux_pmi"] = pmi
        for (key, value) in more { attributes[integer: key] = value }
        let settings = try #require(try FluxSettings(attributes))
        return FluxWorkerJobs(
            settings: settings,
            environment: ["PATH=/bin", "FLUX_JOB_ID=f1", "FLUX_EXEC_PATH=/x", "PMI_RANK=3", "SLURM_JOB_ID=9"],
            directory: "/home/me")
    }

    @Test func aLeaseHoldsItsPlacesOnOneNode() throws {
        let spec = try jobs().lease(FluxLeases.Shape(cores: 2, gpus: 1), places: 3, ticket: "/tmp/tickets/lease-1")
        #expect(spec.tasks == 1 && spec.coresPerTask == 6 && spec.gpusPerTask == 3)
        #expect(spec.command.suffix(3) == ["/tmp/tickets/lease-1", "/opt/swiftlet", "agent"])
        #expect(spec.options["pmi"] == "off")
        #expect(spec.directory == "/home/me")
    }

    @Test func whoTheClientIsStaysWithIt() throws {
        let spec = try jobs().lease(FluxLeases.Shape(cores: 1, gpus: 0), places: 1, ticket: "t")
        #expect(spec.environment.map(\.name) == ["PATH", "FLUX_EXEC_PATH"])
    }

    @Test func ranksGetWhatTheyAskFor() throws {
        var request = ResourceRequest(cores: 4, threadsPerCore: 2, timeLimit: 1_500_000_000)
        request.step.gpusPerCore = 1
        request.step.nodes = 2
        request.step.directory = "/data"
        let spec = try jobs(pmi: "pmi2").worker(
            request, program: ["python", "rank.py", "4"], ticket: "t", variables: ["OMP_NUM_THREADS=2"], file: "/data/flux_0")
        #expect(spec.tasks == 4 && spec.coresPerTask == 2 && spec.gpusPerTask == 1 && spec.nodes == 2)
        #expect(spec.duration == 62)
        #expect(spec.directory == "/data")
        #expect(spec.options["pmi"] == "pmi2")
        #expect(spec.standardOutput == .file("/data/flux_0.out") && spec.standardErrors == .file("/data/flux_0.err"))
        #expect(spec.environment.contains { $0 == ("OMP_NUM_THREADS", "2") })
    }

    @Test func ranksThatConnectThemselvesReadTheirTicketsAll() throws {
        let request = ResourceRequest(cores: 3)
        let one = try jobs().worker(request, program: ["sweep"], ticket: "t", variables: [], file: nil)
        let all = try jobs().worker(request, program: ["sweep"], ticket: "t", variables: [], file: nil, isReadByAll: true)
        #expect(one.command[2].contains("rm -f"))
        #expect(all.command == ["/bin/sh", "-c", #"exec <"$0" || exit 90; exec "$@""#, "t", "sweep"])
    }

    @Test func anExclusiveCallHasANode() throws {
        var request = ResourceRequest()
        request.step.isExclusive = true
        let spec = try jobs().worker(request, program: ["python"], ticket: "t", variables: [], file: nil)
        #expect(spec.nodes == 1 && spec.isExclusive)
        #expect(spec.options["pmi"] == "off")
    }

    @Test func aNestedCallIsABrokerOnEachNodeOfItsSlots() throws {
        let request = ResourceRequest(threadsPerCore: 3)
        let spec = try jobs(["flux_nesting": 1]).worker(request, program: ["python"], ticket: "t", variables: [], file: nil)
        #expect(spec.command.prefix(3) == ["flux", "broker", "/bin/sh"])
        #expect(spec.onePerNode && spec.coresPerTask == 3)
    }

    @Test func anExternalProgramIsItsOwnJob() throws {
        var command = Attributes()
        command[list: "argv"] = ["lmp", "-in", "in.melt"]
        command[list: "env"] = ["PATH=/bin", "FLUX_JOB_ID=f1"]
        command[text: "cwd"] = "/data"
        command[text: "stdin_file"] = "/data/in"
        command[text: "stdout_file"] = "melt.log"
        let spec = try jobs(pmi: "pmi2").command(ResourceRequest(cores: 4), command)
        #expect(spec.command.suffix(4) == ["/data/in", "lmp", "-in", "in.melt"])
        #expect(spec.tasks == 4 && spec.options["pmi"] == "pmi2" && spec.directory == "/data")
        #expect(spec.standardOutput == .file("/data/melt.log") && spec.standardErrors == .kept)
        #expect(spec.environment.map(\.name) == ["PATH"])
    }

    @Test func withoutADirectoryForTicketsThereIsNoInstance() {
        var attributes = Attributes()
        attributes[text: "nodes_by"] = "flux"
        #expect(throws: WireError.self) { try FluxSettings(attributes) }
    }
}
