// SPDX-License-Identifier: BSD-3-Clause
import SwiftletLaunch
import Testing

@Suite struct NodeEnvironmentTests {
    @Test func theClientsButForThePlace() {
        let client = ["PATH=/client", "SLURM_JOB_ID=1", "SLURMD_NODENAME=login", "SLURM_STEP_ID=0", "PMI_RANK=3", "X=1"]
        let agent = [
            "PATH=/node", "SLURM_JOB_ID=1", "SLURMD_NODENAME=n2", "SLURM_STEP_ID=7", "SLURM_PROCID=1", "SLURM_NTASKS=4",
            "SLURM_TASK_PID=99", "SLURM_CONF=/c", "PMI_FD=3",
        ]
        #expect(
            NodeEnvironment.of(client: client, agent: agent, node: "n2")
                == ["PATH=/client", "X=1", "SLURM_JOB_ID=1", "SLURMD_NODENAME=n2", "SLURM_CONF=/c", "SWIFTLET_NODE=n2"])
    }

    @Test func theGPUsOfAJobThatIsThereForOneWorker() {
        #expect(
            NodeEnvironment.ofJob(
                client: ["A=1", "CUDA_VISIBLE_DEVICES=0,1"], agent: ["CUDA_VISIBLE_DEVICES=1", "SLURM_JOB_ID=7"], node: "n2")
                == ["A=1", "SLURM_JOB_ID=7", "SWIFTLET_NODE=n2", "CUDA_VISIBLE_DEVICES=1", "SWIFTLET_STEP=1"])
    }

    @Test func anAgentWithinAnAgentsCall() {
        #expect(NodeEnvironment.of(client: ["SWIFTLET_NODE=n1"], agent: [], node: "n2") == ["SWIFTLET_NODE=n2"])
    }
}
