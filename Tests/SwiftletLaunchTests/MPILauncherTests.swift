// SPDX-License-Identifier: BSD-3-Clause
import SwiftletLaunch
import SwiftletModel
import Testing

@Suite struct MPILauncherTests {
    private func words(_ kind: MPILauncher.Kind, ranks: Int, oversubscribed: Bool = false) -> String {
        MPILauncher(kind: kind, program: "/opt/mpi/bin/mpiexec", worker: ["python3", "rank.py"])
            .arguments(ranks: ranks, oversubscribed: oversubscribed).joined(separator: " ")
    }

    @Test func commandLines() {
        #expect(words(.hydra, ranks: 4) == "/opt/mpi/bin/mpiexec -rmk user -launcher fork -iface lo -n 4 python3 rank.py 4")
        #expect(words(.hydra, ranks: 2, oversubscribed: true).hasSuffix("-n 2 python3 rank.py 2"))
        #expect(words(.openmpi, ranks: 2) == "/opt/mpi/bin/mpiexec --bind-to none -n 2 python3 rank.py 2")
        #expect(
            words(.openmpi, ranks: 8, oversubscribed: true)
                == "/opt/mpi/bin/mpiexec --bind-to none --oversubscribe -n 8 python3 rank.py 8")
    }

    @Test func openMPIIsTold() {
        let openmpi = MPILauncher(kind: .openmpi, program: "mpiexec", worker: ["w"])
        #expect(openmpi.variables(isRoot: true).contains("OMPI_ALLOW_RUN_AS_ROOT=1"))
        #expect(!openmpi.variables(isRoot: false).contains { $0.hasPrefix("OMPI_ALLOW") })
        #expect(MPILauncher(kind: .hydra, program: "mpiexec", worker: ["w"]).variables(isRoot: true) == [])
    }
}

@Suite struct SlotVariablesTests {
    private let slot = Slot(placements: [
        .init(node: 0, name: "n\"1", ranks: 2, coreCount: 4, cores: [0, 1, 6, 7], gpus: ["GPU-a", "1"], memory: 1024)
    ])

    @Test func aSerialCallSeesItsGPUs() {
        let settings = SlotVariables(
            slot, request: ResourceRequest(threadsPerCore: 4), gpuVariable: "CUDA_VISIBLE_DEVICES", name: "1-2")
        #expect(settings.cores == "0-1,6-7")
        #expect(settings.variables[1] == "CUDA_VISIBLE_DEVICES=GPU-a,1")
        #expect(
            settings.variables[0]
                == #"SWIFTLET_SLOT={"name":"1-2","threads_per_core":4,"gpu_variable":"CUDA_VISIBLE_DEVICES","nodes":[{"name":"n\"1","ranks":2,"core_count":4,"cores":"0-1,6-7","gpus":["GPU-a","1"],"memory":1024}]}"#
        )
    }

    @Test func withoutGPUsTheVariableIsEmpty() {
        let none = Slot(placements: [.init(node: 0, name: "", ranks: 1, coreCount: 1)])
        let managed = SlotVariables(none, request: ResourceRequest(), gpuVariable: "ROCR_VISIBLE_DEVICES", name: "s")
        #expect(managed.variables.last == "ROCR_VISIBLE_DEVICES=")
        #expect(SlotVariables(none, request: ResourceRequest(), gpuVariable: nil, name: "s").variables.count == 1)
        #expect(managed.cores == "")
    }

    @Test func threadVariablesAreSetOrLeftToTheUser() {
        let asked = SlotVariables.threads(ResourceRequest(threadsPerCore: 3), in: ["OMP_NUM_THREADS=9"])
        #expect(asked.count == 5 && asked.contains("OMP_NUM_THREADS=3"))
        let plain = SlotVariables.threads(ResourceRequest(), in: ["OMP_NUM_THREADS=9"])
        #expect(plain.count == 4 && plain.contains("MKL_NUM_THREADS=1"))
        #expect(environment(["A=1", "B=2"], with: ["A=3"]) == ["B=2", "A=3"])
    }
}
