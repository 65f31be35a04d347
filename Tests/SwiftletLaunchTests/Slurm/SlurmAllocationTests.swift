// SPDX-License-Identifier: BSD-3-Clause
import SwiftletLaunch
import Testing

@Suite struct SlurmAllocationTests {
    private let line = """
        JobId=3 JobName=interactive UserId=root(0) JobState=RUNNING Reason=None RunTime=00:00:00 TimeLimit=00:10:00 \
        StartTime=2026-11-25T04:15:58 EndTime=2026-11-25T04:25:58 NodeList=n[1-2] NumNodes=3 NumCPUs=9 \
        TRES=cpu=8,mem=8G,node=2 JOB_GRES=gpu:4   Nodes=n[1-2] CPU_IDs=0-2,5 Mem=4096 GRES=gpu:a100:2(IDX:0,3)   \
        Nodes=n7 CPU_IDs=0 Mem=0 GRES= MinCPUsNode=1
        """

    @Test func nodesHaveCoresMemoryAndGPUs() throws {
        let allocation = try SlurmAllocation(job: "3", line: line)
        #expect(allocation.shares.map(\.names) == ["n[1-2]", "n7"])
        #expect(allocation.shares[0].words(node: "n1") == "name=n1 cores=4 gpus=0,3 memory=4294967296 up=0")
        #expect(allocation.shares[1].words(node: "n7") == "name=n7 cores=1 up=0")
        #expect(allocation.end == "2026-11-25T04:25:58")
    }

    @Test(arguments: [
        ("gpu:2", ["0", "1"]), ("other:1,gpu:a100:2(IDX:1-2)", ["1", "2"]), ("", []), ("mygpu:3", []), ("(null)", []),
    ])
    func gpusHaveNumbers(gres: String, numbers: [String]) throws {
        let text = "JobState=RUNNING Nodes=n1 CPU_IDs=0 Mem=4G GRES=\(gres)"
        let allocation = try SlurmAllocation(job: "3", line: text)
        #expect(allocation.shares.first?.gpus == numbers)
        #expect(allocation.shares.first?.memory == 4 << 30)
    }

    @Test(arguments: [
        ("JobId=3 JobState=COMPLETED Nodes=n1 CPU_IDs=0", "its state is COMPLETED"), ("", "its state is not known"),
        ("JobState=RUNNING", "Slurm does not say which nodes it has"),
    ])
    func aJobThatDoesNotRunIsNone(line: String, reason: String) {
        #expect { _ = try SlurmAllocation(job: "3", line: line) } throws: { "\($0)" == reason }
    }
}
