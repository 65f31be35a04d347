// SPDX-License-Identifier: BSD-3-Clause
import SwiftletCluster
import SwiftletLaunch
import SwiftletModel
import SwiftletWire

/// Where jobs run: processes of this machine, Slurm, Flux. Everything is called, and answers, on the loop's thread; what takes
/// time (a command, a file) happens elsewhere. Every question is answered exactly once, also when the system is down.
protocol JobSystem: AnyObject {
    /// What it can do, and how far it goes; asked once.
    var limits: JobLimits { get }

    /// Called with jobs whose status changed, where the system tells of changes by itself. Set by the cluster's shell.
    var onChange: ([JobID: JobStatus]) -> Void { get set }

    /// Called when it turns out that `limits` are others. Set by the cluster's shell.
    var onLimits: (JobLimits) -> Void { get set }

    /// Queues the calls of a batch: one job for each, in the order of `batch.calls`, or none at all.
    func submit(_ batch: JobBatch, answer: @escaping (Result<[JobID], JobRefusal>) -> Void)

    /// What the system says of these jobs, by one question for all. Jobs that it does not know are `.unknown`; where it cannot be
    /// asked at present, the answer is empty.
    func query(_ jobs: [JobID], answer: @escaping ([JobID: JobStatus]) -> Void)

    /// What would be given to the system for these calls, for humans.
    func describe(_ batch: JobBatch, answer: @escaping (String) -> Void)

    /// Takes them out of the queue, or ends them. Unknown and ended jobs are no error.
    func cancel(_ jobs: [JobID])

    /// The call of this job, one of a batch, has ended. Mostly the job has or is just ending; where another one has run the
    /// call, it need not start any more.
    func isDone(_ job: JobID)

    /// How many seconds these jobs, which run, may still run; those of which that is not known are left out.
    func timesLeft(of jobs: [JobID], answer: @escaping ([JobID: Double]) -> Void)

    /// Nothing follows; what the system holds of the engine's (descriptors, connections) is given back. Jobs that outlive the
    /// client go on.
    func close()

    /// As `close`, and calls `then` when what was begun is done, such as taking jobs out of a queue.
    func finish(then: @escaping () -> Void)
}

extension JobSystem {
    func isDone(_ job: JobID) {}

    func timesLeft(of jobs: [JobID], answer: @escaping ([JobID: Double]) -> Void) { answer([:]) }

    func describe(_ batch: JobBatch, answer: @escaping (String) -> Void) {
        answer(batch.commandLines)
    }

    /// For those whose limits are known from the start.
    var onLimits: (JobLimits) -> Void {
        get { { _ in } }
        set {}
    }

    func finish(then: @escaping () -> Void) {
        close()
        then()
    }
}

/// Calls with equal directives that begin when the same jobs have ended well.
struct JobBatch {
    let request: RequestID
    /// The client's REQUEST as it came: `cores`, `threads_per_core`, `time_limit` and whatever else a template may want.
    let directives: Attributes
    let calls: [JobCall]
    let dependencies: [JobID]
    /// Its calls are entries of the store, which any job may run; otherwise each job is a worker with a ticket of its own.
    var runsEntries = true

    /// The user gives the script, which the client renders.
    var hasTemplate: Bool { directives[text: "submission_template"] != nil }
    /// What the jobs run, for humans.
    var commandLines: String { calls.map { $0.command.map(ShellWord.quoted).joined(separator: " ") }.joined(separator: "\n") }
}

/// One call as its job has to run it.
struct JobCall {
    /// For messages and for the name of the job.
    let key: String
    let function: String
    /// The call's files are `path` with an ending: `.task`, `.outcome`, and what a job system adds.
    let path: String
    /// The program and its arguments. Its environment is the client's, its directory does not matter.
    let command: [String]
    /// The calls of this client that wait for it; for what the job prints.
    let tasks: [TaskID]
}
