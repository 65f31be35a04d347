// SPDX-License-Identifier: BSD-3-Clause
import SwiftletCluster
import SwiftletFlux
import SwiftletModel
import SwiftletWire
import Testing

@testable import SwiftletEngine

@Suite struct FluxCallJobsTests {
    private let jobs = FluxCallJobs(
        environment: ["PATH=/bin", "FLUX_URI=local:///outer", "FLUX_JOB_ID=3", "FLUX_EXEC_PATH=/flux/cmd", "SLURM_JOB_ID=7"],
        directory: "/home/x", pmi: nil)
    private let call = JobCall(
        key: "k", function: "<lambda>", path: "/data/my cache/k", command: ["python", "job.py", "/data/my cache", "k"], tasks: [])

    @Test func aJobThatRunsOneCallAfterTheOtherHasItsTimeFromFlux() {
        var directives = Attributes()
        directives[number: "time_limit"] = 5
        #expect(jobs.spec(call, directives, after: []).duration == 65)
        directives[number: "job_time"] = 5
        #expect(jobs.spec(call, directives, after: []).duration == 5)
    }

    @Test func theFirstJobsOfABatchAreToldOfAllItsCalls() {
        for count in [2, 5, 32, 33, 100] {
            let calls = (0..<count).map { JobCall(key: "\($0)", function: "f", path: "/d/\($0)", command: [], tasks: []) }
            var told: Set<String> = []
            for index in 0..<((count + FluxCallJobs.share - 1) / FluxCallJobs.share) {
                let others = FluxCallJobs.others(index, in: calls)
                #expect(others.count <= FluxCallJobs.share && !others.contains("\(index)"))
                told.formUnion(others + ["\(index)"])
            }
            #expect(told.count == count)
        }
    }

    @Test func aJobThatIsToldOfOthersStartsOnlyWhereSomethingIsLeftToDo() {
        let spec = jobs.spec(call, Attributes(), after: [], others: ["a", "b"])
        #expect(spec.command.prefix(2) == ["/bin/sh", "-c"])
        #expect(spec.command[2].contains("exec python job.py '/data/my cache' --shared"))
        #expect(spec.command.suffix(4) == ["/data/my cache", "k", "a", "b"])
    }

    @Test func serialCallsOfABatchAreSharedAndWorkersAreNot() {
        func areShared(_ count: Int = 2, runsEntries: Bool = true, _ directives: Attributes = Attributes()) -> Bool {
            FluxCallJobs.areShared(
                JobBatch(
                    request: RequestID(1), directives: directives, calls: Array(repeating: call, count: count),
                    dependencies: [], runsEntries: runsEntries))
        }
        #expect(areShared())
        #expect(!areShared(1))
        #expect(!areShared(runsEntries: false))
        var directives = Attributes()
        directives[integer: "cores"] = 2
        #expect(!areShared(2, directives))
    }

    @Test func onlyATaskOfFluxsLooksWhetherFluxIsThere() {
        var directives = Attributes()
        func looks() -> Bool {
            jobs.spec(call, directives, after: []).environment.contains { $0.name == "SWIFTLET_ENDS_WITH_PARENT" }
        }
        #expect(looks())
        directives[integer: "nesting"] = 1
        #expect(!looks())
    }

    @Test func ranksOfAScriptAreStartedInItsInstance() {
        var directives = Attributes()
        directives[integer: "cores"] = 2
        directives[integer: "gpus_per_core"] = 1
        let script = jobs.script(call, directives, after: [JobID(1)])
        #expect(
            script.commandLine == "python job.py '/data/my cache' k --step flux run --input=0 --ntasks=2 --cores-per-task=1 "
                + "-o exit-on-error -o exit-timeout=5s --gpus-per-task=1 -o gpu-affinity=per-task")
        #expect(script.name == "lambda")
        #expect(script.directory == "/data/my cache")
        #expect(script.command == ["flux", "batch", "--dependency=afterok:f2"])
        #expect(script.variables[list: "dependencies"] == ["1"])
    }

    @Test func aScriptIsSubmittedInTheDirectoryThatIsAskedForToTheInstanceThatIsMeant() {
        var directives = Attributes()
        directives[text: "cwd"] = "/run"
        let script = jobs.script(call, directives, after: [])
        #expect(Array(script.submission.suffix(3)) == ["/run", "flux", "batch"])
        #expect(
            jobs.commandEnvironment("local:///inner") == ["PATH=/bin", "FLUX_EXEC_PATH=/flux/cmd", "FLUX_URI=local:///inner"])
        #expect(jobs.commandEnvironment(nil) == ["PATH=/bin", "FLUX_EXEC_PATH=/flux/cmd"])
    }

    @Test func aBatchIsTakenAsAWholeOrNotAtAll() {
        var heard: [(Result<[JobID], JobRefusal>, [JobID])] = []
        let answers = JobAnswers(count: 3) { heard.append(($0, $1)) }
        answers.put(.success(JobID(9)), at: 2)
        answers.put(.failure(JobRefusal(reason: "full", isTemporary: true)), at: 0)
        #expect(heard.isEmpty)
        answers.put(.failure(JobRefusal(reason: "no such queue")), at: 1)
        #expect(heard.count == 1)
        #expect(heard.first?.0 == .failure(JobRefusal(reason: "no such queue")))
        #expect(heard.first?.1 == [JobID(9)])
    }
}
