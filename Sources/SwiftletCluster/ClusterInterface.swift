// SPDX-License-Identifier: BSD-3-Clause
public import SwiftletModel

/// An entry of the store as the shell numbers it: equal places have equal numbers.
public struct EntryID: Hashable, Sendable {
    public let rawValue: UInt32
    public init(_ rawValue: UInt32) { self.rawValue = rawValue }
}

/// Calls that are queued together.
public struct BatchID: Hashable, Sendable {
    public let rawValue: UInt32
    public init(_ rawValue: UInt32) { self.rawValue = rawValue }
}

/// How an entry's outcome says that its call ended.
public enum EntryEnd: Hashable, Sendable {
    case value
    case error
    case lost(String)
    case timeLimit
}

/// What `look` found.
public enum LookAnswer: Hashable, Sendable {
    /// An outcome that counts: nothing has to run.
    case value
    /// The entry is ours and its task is written.
    case claimed
    /// Somebody else is at it: a job of our system, or (nil) another client.
    case taken(JobID?)
    /// The store cannot be used for it; the text says why.
    case failed(String)
}

/// Something that happened. Time comes with it; the table reads no clock.
public enum ClusterEvent: Sendable {
    /// A new call. `inputs` are calls that were submitted before.
    case submit(TaskID, EntryID, request: RequestID, inputs: [TaskID])
    /// The client cancels. With `onlyIfNotStarted` a running call goes on.
    case cancel(TaskID, onlyIfNotStarted: Bool)
    /// Nobody at the client refers to this call any more.
    case release(TaskID)
    /// The client waits for a result: what was gathered is queued at once.
    case somebodyWaits
    /// The answer to `look`.
    case looked(EntryID, LookAnswer)
    /// An outcome was seen.
    case appeared(EntryID, EntryEnd)
    /// A check found no outcome.
    case absent(EntryID)
    /// A check found no outcome, and that the other client which had the entry is gone.
    case holderGone(EntryID)
    /// The answers to `submit`: one job for each entry of the batch, or none at all.
    case queued(BatchID, [JobID])
    case refused(BatchID, JobRefusal)
    /// What the system says of jobs; an answer to `query`, or unasked.
    case jobs([JobID: JobStatus], isAnswer: Bool)
    /// The system has said how far it goes.
    case limits(JobLimits)
    /// The client leaves; jobs go on.
    case detach
    /// No submit follows. With `cancelWaiting` what has not started is cancelled.
    case shutdown(cancelWaiting: Bool)
    /// The time asked for by `wake(at:)` has come.
    case timePassed
}

/// What is to be done now, in this order.
public enum ClusterAction: Hashable, Sendable {
    /// Look for an outcome; where there is none, claim the entry and write its task. The claim of the job `takingOver` is stale.
    case look(EntryID, takingOver: JobID?)
    /// Queue the calls as one batch, to begin when the jobs they depend on have ended well.
    case submit(BatchID, request: RequestID, [EntryID], dependencies: [JobID])
    /// Say in the entry's claim which job will write it; nil: it waits for anybody who queues it.
    case record(EntryID, JobID?)
    /// See whether the outcomes of these are there, and whether those who claimed them live.
    case check([EntryID])
    /// Ask the system for these jobs, in one question.
    case query([JobID])
    case cancelJobs([JobID])
    /// The call of this job, one of a batch, has ended, and no job waits for it.
    case jobIsDone(JobID)
    /// Nobody wants it and nothing ran: remove its task, give up its claim.
    case withdraw(EntryID)
    /// The call is running.
    case started(TaskID)
    /// The call has ended; for `.value` and `.error` the payload is that of its entry.
    case ended(TaskID, EntryID, Outcome, tellClient: Bool)
    /// Nobody refers to an ended call any more.
    case forget(TaskID)
    /// Nothing more comes of this entry.
    case close(EntryID)
    /// Send `timePassed` at this time (replaces the time given before).
    case wake(at: Instant)
    /// After `detach`: everything that could be queued has been; so many calls are not.
    case detached(notQueued: Int)
    /// After `shutdown` or `detach`: there is nothing left to do.
    case finished
}
