// SPDX-License-Identifier: BSD-3-Clause
import SwiftletModel
import Testing

@testable import SwiftletLaunch

/// Lines as srun 22.05 prints them.
@Suite struct SrunReportTests {
    @Test(arguments: [
        (
            """
            what the task printed
            srun: error: n1: task 1: Killed
            srun: launch/slurm: _step_signal: Terminating StepId=19335.0
            srun: error: n2: task 3: Terminated
            """, ProcessEnd.signalled(9)
        ),
        (
            """
            srun: error: n3: task 0: Exited with exit code 3
            srun: error: n3: task 2: Exited with exit code 143
            """, .exited(status: 3)
        ),
        ("srun: error: n2: tasks 0,2-3: Segmentation fault (core dumped)\nsrun: error: n1: task 1: Terminated", .signalled(11)),
        ("srun: error: n2: task 0: Exited with exit code 137\n", .signalled(9)),
    ])
    func theFirstRankThatDiedIsToldFromThoseThatWereEnded(text: String, end: ProcessEnd) {
        #expect(SrunReport(text).firstDeath == end)
    }

    @Test func nothingIsMadeOfWhatIsNotSaid() {
        for text in ["", "srun: error: Unable to create step", "error: n2: task 0: Killed", "srun: error: n1: task 1: Vanished"] {
            #expect(SrunReport(text).firstDeath == nil)
            #expect(!SrunReport(text).isOverMemory)
        }
    }

    @Test(arguments: [
        "slurmstepd-n1: error: StepId=19339.0 exceeded memory limit (119635968 > 67108864), being killed",
        "slurmstepd: error: Detected 1 oom-kill event(s) in StepId=7.0. Some of your processes may have been killed",
        "srun: error: n1: task 0: Out Of Memory",
    ])
    func memoryIsTheReason(line: String) { #expect(SrunReport("a line\n\(line)\nanother").isOverMemory) }
}
