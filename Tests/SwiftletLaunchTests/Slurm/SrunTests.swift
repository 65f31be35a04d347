// SPDX-License-Identifier: BSD-3-Clause
import SwiftletLaunch
import SwiftletModel
import Testing

@Suite struct SrunTests {
    private let inside = Srun(job: "12", hasGPUs: false, pmi: nil, agent: ["/opt/swiftlet", "agent"], environment: [])
    private let outside = Srun(job: nil, hasGPUs: false, pmi: nil, agent: ["/opt/swiftlet", "agent"], environment: [])

    private func slot(_ nodes: String...) -> Slot {
        Slot(placements: nodes.enumerated().map { Slot.Placement(node: $0.offset, name: $0.element, ranks: 1, coreCount: 1) })
    }

    private func line(_ srun: Srun, _ request: ResourceRequest, _ slot: Slot) -> String {
        srun.step(request, in: slot, program: ["python", "worker"]).shellLine
    }

    @Test func agents() {
        #expect(
            inside.agents(on: ["n1", "n3"]).shellLine
                == "srun -N 2 -n 2 --ntasks-per-node=1 --jobid=12 -w n1,n3 --overlap --mpi=none --cpu-bind=none --mem=0 --no-kill "
                + "--kill-on-bad-exit=0 --wait=0 --job-name=swiftlet-agents /opt/swiftlet agent")
    }

    @Test func aSerialStep() {
        #expect(
            line(inside, ResourceRequest(), slot("n2"))
                == "srun -n 1 --mpi=none -N 1 --cpus-per-task=1 --exact -w n2 --jobid=12 --kill-on-bad-exit=1 --job-name=swiftlet "
                + "python worker")
    }

    /// executorlib's order for all that it passes: -n, -D, --mpi, -N, --cpus-per-task, --gpus-per-task, --exact, --oversubscribe,
    /// --time, slurm_cmd_args.
    @Test func everythingInItsOrder() {
        var request = ResourceRequest(
            cores: 4, threadsPerCore: 2, gpusPerCore: 1, memory: 3_000_000_000, nodes: 2, isOversubscribed: true,
            timeLimit: 250_000_000_000)
        request.step = StepOptions(directory: "/tmp/a b", arguments: ["--qos=high", "--comment=it's"])
        let srun = Srun(job: "12", hasGPUs: true, pmi: "pmix", agent: ["/opt/swiftlet", "agent"], environment: [])
        #expect(
            line(srun, request, slot("n1", "n2"))
                == "srun -n 4 -D '/tmp/a b' --mpi=pmix -N 2 --cpus-per-task=2 --gpus-per-task=1 --exact --oversubscribe --time=6 "
                + "--mem=2862M -w n1,n2 --jobid=12 --kill-on-bad-exit=1 --job-name=swiftlet --qos=high '--comment=it'\\''s' "
                + "python worker")
    }

    /// A step would get all GPUs of its job, and no other one could start beside it.
    @Test func aStepWithoutGPUsTakesNone() {
        let srun = Srun(job: "12", hasGPUs: true, pmi: nil, agent: ["/opt/swiftlet", "agent"], environment: [])
        #expect(line(srun, ResourceRequest(), slot("n1")).contains(" --gres=none "))
    }

    @Test func withoutAnAllocationSrunAsksForOne() {
        var request = ResourceRequest(cores: 2)
        request.step = StepOptions(nodes: 2, gpusPerCore: 1, isExclusive: true)
        #expect(
            line(outside, request, slot(""))
                == "srun -n 2 -N 2 --cpus-per-task=1 --gpus-per-task=1 --exclusive --kill-on-bad-exit=1 --job-name=swiftlet python "
                + "worker")
        #expect(
            line(outside, ResourceRequest(), slot(""))
                == "srun -n 1 --mpi=none --cpus-per-task=1 --kill-on-bad-exit=1 --job-name=swiftlet python worker")
    }

    /// Whole minutes, never fewer than asked for, and one more as a backstop.
    @Test(arguments: [(1, 2), (59, 2), (60, 2), (61, 3), (250, 6), (3600, 61)]) func minutes(seconds: UInt64, minutes: Int) {
        let request = ResourceRequest(timeLimit: seconds * 1_000_000_000)
        #expect(line(inside, request, slot("n1")).contains(" --time=\(minutes) "))
    }

    @Test func theClientsOwnPlaceSaysNothing() {
        let environment = [
            "PATH=/bin", "SLURM_CONF=/etc/slurm.conf", "SLURM_CPUS_PER_TASK=7", "SRUN_CPUS_PER_TASK=7", "SLURM_NTASKS=9",
            "SLURM_JOB_ID=12", "PMI_RANK=0", "PMIX_NAMESPACE=x", "SLURM_EXACT=1", "HOME=/root",
        ]
        let srun = Srun(job: "12", hasGPUs: false, pmi: nil, agent: ["e", "agent"], environment: environment)
        #expect(
            srun.step(ResourceRequest(), in: slot("n1"), program: ["p"]).environment
                == ["PATH=/bin", "SLURM_CONF=/etc/slurm.conf", "HOME=/root"])
    }

    @Test func aStepIsCancelledByItsName() { #expect(inside.cancel(step: "12.3")?.shellLine == "scancel 12.3") }
}
