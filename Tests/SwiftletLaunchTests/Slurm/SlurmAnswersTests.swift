// SPDX-License-Identifier: BSD-3-Clause
import SwiftletModel
import Testing

@testable import SwiftletLaunch

/// What Slurm 22.05 printed on the test cluster, read back.
@Suite struct SlurmAnswersTests {
    @Test(
        arguments: [
            ("17\n", 17), ("17;cluster\n", 17), ("welcome to the site\n17\n", 17), ("", nil), ("sbatch: nothing\n", nil),
        ] as [(String, UInt32?)])
    func submissions(text: String, job: UInt32?) {
        #expect(SlurmAnswers.submittedJob(text) == job)
    }

    @Test(
        arguments: [
            ("PENDING", "PartitionNodeLimit", true), ("PENDING", "ReqNodeNotAvail, UnavailableNodes:n1", true),
            ("PENDING", "Resources", false), ("PENDING", "Priority", false), ("FAILED", "PartitionConfig", false),
        ])
    func whatMayNeverStart(state: String, reason: String, never: Bool) {
        let report = SlurmJobReport(id: SlurmJobID(7), state: SlurmJobState(state), reason: reason)
        #expect(report.mayNeverStart == never)
    }

    @Test func jobsOfEveryKindInOneAnswer() {
        let answer = """
            12                      CANCELLED         DependencyNeverSatisfied                0                                                                                           
            10                      CANCELLED         None                                    15          n2                                                                              
            3                       COMPLETED         None                                    0           n[1-4]                                                                          
            7                       FAILED            NonZeroExitCode                         1792        n1                                                                              
            8                       FAILED            JobLaunchFailure                        11          n1                                                                              
            15                      NODE_FAIL         NodeDown                                0           n4                                                                              
            13                      PENDING           DependencyNeverSatisfied                0                                                                                           
            14_3                    RUNNING           None                                    0           n1                                                                              
            11                      TIMEOUT           TimeLimit                               15          n2                                                                              
            """
        let jobs = SlurmAnswers.queue(answer)
        #expect(
            jobs.map(\.account) == [
                "Slurm job 12: it was cancelled (CANCELLED, DependencyNeverSatisfied)",
                "Slurm job 10 on n2: it was cancelled (CANCELLED); its script was ended by signal 15 (SIGTERM)",
                "Slurm job 3 on n[1-4]: it ended (COMPLETED)",
                "Slurm job 7 on n1: it failed (FAILED, NonZeroExitCode); its script exited with status 7",
                "Slurm job 8 on n1: it failed (FAILED, JobLaunchFailure); its script was ended by signal 11 (SIGSEGV)",
                "Slurm job 15 on n4: its node failed (NODE_FAIL, NodeDown)",
                "Slurm job 13: is pending (PENDING, DependencyNeverSatisfied)",
                "Slurm job 14_3 on n1: is running (RUNNING)",
                "Slurm job 11 on n2: it reached its time limit (TIMEOUT, TimeLimit); its script was ended by signal 15 (SIGTERM)",
            ])
        #expect(jobs.filter(\.waitsForTheDead).map(\.id.description) == ["13"])
        #expect(jobs.filter(\.state.hasEnded).count == 7)
        #expect(jobs.filter(\.state.isLossOfNode).map(\.id.description) == ["15"])
        #expect(jobs[7].end == nil)
    }

    @Test func accounting() {
        let answer = """
            7|FAILED|7:0|n1|None
            10|CANCELLED by 0|0:15|n2|None
            14_2|FAILED|3:0|n1|None
            14_3|RUNNING|0:0|n1|None
            17|PENDING|0:0|None assigned|PartitionNodeLimit
            20|OUT_OF_MEMORY|0:125|n1|OutOfMemory
            7.batch|FAILED|7:0|n1|
            14_[4-9]|PENDING|0:0|None assigned|Resources
            """
        #expect(
            SlurmAnswers.history(answer).map(\.account) == [
                "Slurm job 7 on n1: it failed (FAILED); its script exited with status 7",
                "Slurm job 10 on n2: it was cancelled (CANCELLED); its script was ended by signal 15 (SIGTERM)",
                "Slurm job 14_2 on n1: it failed (FAILED); its script exited with status 3",
                "Slurm job 14_3 on n1: is running (RUNNING)",
                "Slurm job 17: is pending (PENDING, PartitionNodeLimit)",
                "Slurm job 20 on n1: it was out of memory (OUT_OF_MEMORY, OutOfMemory); its script was ended by signal 125",
            ])
    }

    @Test func whatIsNoAnswerIsLeftOut() {
        #expect(SlurmAnswers.queue("slurm_load_jobs error: Unable to contact slurm controller (connect failure)\n\n").isEmpty)
        #expect(SlurmAnswers.history("Slurm accounting storage is disabled\n").isEmpty)
    }

    @Test func whenJobsHaveToEnd() {
        let answer = "7 1795618410\n8_0 1795618411\n8_11 1795618412\n9 N/A\n10 0\n11\nwelcome to the cluster\n"
        #expect(
            SlurmAnswers.ends(answer) == [
                SlurmJobID(7): 1_795_618_410, SlurmJobID(8, element: 0): 1_795_618_411,
                SlurmJobID(8, element: 11): 1_795_618_412,
            ])
        #expect(
            SlurmCommands.environmentOfEnds(["SLURM_TIME_FORMAT=relative", "HOME=/h"]) == ["HOME=/h", "SLURM_TIME_FORMAT=%s"])
    }

    @Test func whatAFailureSaysOfThePresenceOfArrays() {
        func result(_ status: Int32, _ output: String, _ errors: String) -> CommandResult {
            CommandResult(end: .exited(status: status), output: output, errors: errors)
        }
        #expect(SlurmAnswers.mayBePresent(result(0, "7_[3-9]\n", "")))
        #expect(!SlurmAnswers.mayBePresent(result(0, "", "")))
        #expect(!SlurmAnswers.mayBePresent(result(1, "", "slurm_load_jobs error: Invalid job id specified\n")))
        let silence = "slurm_load_jobs error: Unable to contact slurm controller (connect failure)\n"
        #expect(SlurmAnswers.mayBePresent(result(1, "", silence)))
    }

    @Test func pairsOfScontrol() {
        let line =
            "JobId=14 ArrayJobId=14 JobState=RUNNING Command=/a path/with blanks.sh WorkDir=/x=y Power= NtasksPerN:B:S:C=0:0:*:*"
        let pairs = SlurmAnswers.pairs(line)
        #expect(pairs["Command"] == "/a path/with blanks.sh")
        #expect(pairs["WorkDir"] == "/x=y")
        #expect(pairs["Power"] == "")
        #expect(pairs["JobState"] == "RUNNING")
    }

    @Test func limitsOfTheSite() {
        let configuration = """
            Configuration data as of 2026-11-25T03:46:59
            MaxArraySize            = 10001
            MaxDBDMsgs              = 80040
            MaxJobCount             = 20000
            MinJobAge               = 300 sec
            """
        #expect(
            SlurmLimits(configuration: configuration, associations: "") == SlurmLimits(arraySize: 10000, submittedJobs: 20000))
        #expect(SlurmLimits(configuration: configuration, associations: "500|\n|2000\n").submittedJobs == 500)
        #expect(SlurmLimits(configuration: "", associations: "") == SlurmLimits(arraySize: 1000, submittedJobs: nil))
        #expect(SlurmLimits(configuration: "MaxArraySize = 0\n", associations: "").arraySize == 1)
        let tasks = "SchedulerParameters = bf_interval=1,max_array_tasks=20,nohold_on_prolog_fail\n"
        #expect(SlurmLimits(configuration: tasks + configuration, associations: "").arraySize == 20)
    }

    @Test(arguments: ["17", "17_3"]) func jobNumbers(text: String) { #expect(SlurmJobID(text)?.description == text) }

    @Test(arguments: ["", "17.0", "17_[3-5]", "17_", "x", "17.batch"]) func noJobNumbers(text: String) {
        #expect(SlurmJobID(text) == nil)
    }
}
