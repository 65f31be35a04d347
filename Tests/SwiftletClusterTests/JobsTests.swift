// SPDX-License-Identifier: BSD-3-Clause
import SwiftletCluster
import SwiftletModel
import Testing

@Suite struct JobsTests {
    static let lost = "queue job 1 of test terminated without producing output (timeout)"

    @Test func aValueEndsItsCall() {
        var trace = ClusterTrace()
        _ = trace.queue(1)
        #expect(trace.handle(.appeared(EntryID(1), .value)) == [.ended(1, .value), .close(EntryID(1))])
    }

    @Test func aHitRunsNothing() {
        var trace = ClusterTrace()
        #expect(trace.submit(1) == [.look(EntryID(1), takingOver: nil)])
        #expect(trace.handle(.looked(EntryID(1), .value)) == [.ended(1, .value), .close(EntryID(1))])
    }

    @Test func aDependantIsQueuedBehindItsInput() {
        var trace = ClusterTrace()
        _ = trace.queue(1)
        _ = trace.claim(2, inputs: [1])
        #expect(trace.after(50) == [.submit(2, [2], dependencies: [1])])
    }

    @Test func anInputThatHasEndedIsNotNamed() {
        var trace = ClusterTrace()
        _ = trace.queue(1)
        _ = trace.claim(2, inputs: [1])
        _ = trace.handle(.appeared(EntryID(1), .value))
        #expect(trace.after(50) == [.submit(2, [2])])
    }

    @Test func withoutDependenciesInTheSystemADependantWaits() {
        var trace = ClusterTrace { $0.hasDependencies = false }
        _ = trace.queue(1)
        _ = trace.claim(2, inputs: [1])
        #expect(trace.after(50) == [])
        #expect(trace.handle(.appeared(EntryID(1), .value)).contains(.submit(2, [2])))
    }

    @Test func aDeadJobIsLostWhenItsOutcomeCouldHaveBeenSeen() {
        var trace = ClusterTrace()
        _ = trace.queue(1)
        #expect(trace.handle(.jobs([JobID(1): .ended("timeout")], isAnswer: true)) == [.check([EntryID(1)])])
        #expect(trace.handle(.absent(EntryID(1))) == [])
        #expect(trace.after(89_000).contains(.check([EntryID(1)])))
        #expect(trace.handle(.absent(EntryID(1))) == [])
        #expect(trace.after(1_000).contains(.check([EntryID(1)])))
        #expect(
            trace.handle(.absent(EntryID(1))) == [
                .withdraw(EntryID(1)), .ended(1, .lost(reasons: [.failed(Self.lost)])), .close(EntryID(1)),
            ])
    }

    @Test func whyAChainEndedIsKeptWhileSomethingCanDependOnIt() {
        var trace = ClusterTrace()
        _ = trace.queue(1)
        _ = trace.queue(2, inputs: [1])
        _ = trace.handle(.appeared(EntryID(1), .error))
        #expect(trace.handle(.release(TaskID(1))) == [])
        #expect(trace.submit(3, inputs: [2]).contains(.ended(3, .inputFailed(origin: TaskID(1)))))
        #expect(trace.handle(.release(TaskID(2))) == [.forget(TaskID(2))])
        #expect(trace.handle(.release(TaskID(3))) == [.forget(TaskID(3)), .forget(TaskID(1))])
    }

    @Test func aJobThatCanNeverRunEndsItsCallAtOnce() {
        var trace = ClusterTrace { $0.jobs = 1 }
        _ = trace.queue(1)
        _ = trace.claim(2)
        #expect(
            trace.handle(.jobs([JobID(1): .refused("unsatisfiable")], isAnswer: false)) == [
                .withdraw(EntryID(1)), .ended(1, .refused("unsatisfiable")), .close(EntryID(1)),
            ])
        #expect(trace.after(100) == [.submit(2, [2])])
    }

    @Test func aJobOfAnotherClientThatCanNeverRunIsTakenOver() {
        var trace = ClusterTrace()
        _ = trace.submit(1)
        _ = trace.handle(.looked(EntryID(1), .taken(JobID(5))))
        #expect(
            trace.handle(.jobs([JobID(5): .refused("unsatisfiable")], isAnswer: false))
                == [.look(EntryID(1), takingOver: JobID(5))])
    }

    @Test func anOutcomeThatIsSeenLateCounts() {
        var trace = ClusterTrace()
        _ = trace.queue(1)
        _ = trace.handle(.jobs([JobID(1): .unknown], isAnswer: true))
        _ = trace.after(60_000)
        #expect(trace.handle(.appeared(EntryID(1), .value)) == [.ended(1, .value), .close(EntryID(1))])
    }

    @Test func whatFailsTakesItsDependantsAlong() {
        var trace = ClusterTrace()
        _ = trace.queue(1)
        _ = trace.queue(2, inputs: [1])
        #expect(
            trace.handle(.appeared(EntryID(1), .error)) == [
                .ended(1, .error), .ended(2, .inputFailed(origin: TaskID(1))), .cancelJobs([JobID(2)]), .withdraw(EntryID(2)),
                .close(EntryID(2)), .close(EntryID(1)),
            ])
    }

    @Test func whatIsLostIsForgottenWithItsLastDependant() {
        var trace = ClusterTrace()
        _ = trace.queue(1)
        _ = trace.queue(2, inputs: [1])
        #expect(trace.handle(.release(TaskID(1))) == [])
        let actions = trace.handle(.appeared(EntryID(1), .lost("exited with status 3")))
        #expect(actions.contains(.ended(2, .inputFailed(origin: TaskID(1)))))
        #expect(!actions.contains(.forget(TaskID(1))))
        #expect(trace.handle(.release(TaskID(2))) == [.forget(TaskID(2)), .forget(TaskID(1))])
    }

    @Test func aCancelGoesToTheQueue() {
        var trace = ClusterTrace()
        _ = trace.queue(1)
        #expect(
            trace.handle(.cancel(TaskID(1), onlyIfNotStarted: false)) == [
                .ended(1, .cancelled(origin: nil), tellClient: false), .cancelJobs([JobID(1)]), .withdraw(EntryID(1)),
                .close(EntryID(1)),
            ])
    }

    @Test func aCancelWhileTheJobIsBeingQueuedIsMadeUpFor() {
        var trace = ClusterTrace()
        _ = trace.claim(1)
        _ = trace.after(50)
        #expect(
            trace.handle(.cancel(TaskID(1), onlyIfNotStarted: false)) == [
                .ended(1, .cancelled(origin: nil), tellClient: false)
            ])
        #expect(trace.handle(.queued(BatchID(1), [JobID(7)])).contains(.cancelJobs([JobID(7)])))
    }

    @Test func aCancelledCallLeavesTheWorkToAnEqualOne() {
        var trace = ClusterTrace()
        _ = trace.queue(1)
        _ = trace.submit(2, entry: 1)
        #expect(
            trace.handle(.cancel(TaskID(1), onlyIfNotStarted: false)) == [
                .ended(1, .cancelled(origin: nil), tellClient: false)
            ])
        #expect(trace.handle(.appeared(EntryID(1), .value)) == [.ended(2, entry: 1, .value), .close(EntryID(1))])
    }

    @Test func anotherClientsJobIsWaitedForAndTakenOverWhenItIsDead() {
        var trace = ClusterTrace()
        _ = trace.submit(1)
        #expect(trace.handle(.looked(EntryID(1), .taken(JobID(5)))) == [])
        #expect(trace.after(30_000).contains(.query([JobID(5)])))
        #expect(trace.handle(.jobs([JobID(5): .unknown], isAnswer: true)) == [.check([EntryID(1)])])
        #expect(trace.after(90_000).contains(.check([EntryID(1)])))
        #expect(trace.handle(.absent(EntryID(1))) == [.look(EntryID(1), takingOver: JobID(5))])
    }

    @Test func anotherClientThatDiesIsTakenOver() {
        var trace = ClusterTrace()
        _ = trace.submit(1)
        _ = trace.handle(.looked(EntryID(1), .taken(nil)))
        #expect(trace.after(1_000) == [.check([EntryID(1)])])
        #expect(trace.handle(.holderGone(EntryID(1))) == [.look(EntryID(1), takingOver: nil)])
    }

    @Test func oneQuestionForAllJobs() {
        var trace = ClusterTrace()
        _ = trace.queue(1)
        _ = trace.queue(2)
        #expect(trace.after(30_000).contains(.query([JobID(1), JobID(2)])))
        #expect(!trace.after(30_000).contains { if case .query = $0 { true } else { false } })
        #expect(trace.handle(.jobs([JobID(1): .running], isAnswer: true)).contains(.started(TaskID(1))))
    }

    /// Another job of the batch may have run it, which nobody tells.
    @Test func callsOfABatchAreWatchedAndTheSystemHearsWhichAreDone() {
        var trace = ClusterTrace { ($0.queryInterval, $0.sharesArrays) = (nil, true) }
        _ = trace.queue(1)
        _ = trace.claim(2)
        _ = trace.claim(3)
        let batch = BatchID(2)
        #expect(trace.after(50) == [.submit(2, [2, 3])])
        _ = trace.handle(.queued(batch, [JobID(2), JobID(3)]))
        #expect(trace.after(1000) == [.check([EntryID(2), EntryID(3)])])
        #expect(
            trace.handle(.appeared(EntryID(2), .value)) == [.jobIsDone(JobID(2)), .ended(2, .value), .close(EntryID(2))])
        _ = trace.claim(4, inputs: [3])
        #expect(!trace.handle(.appeared(EntryID(3), .value)).contains(.jobIsDone(JobID(3))))
        #expect(!trace.handle(.appeared(EntryID(1), .value)).contains(.jobIsDone(JobID(1))))
    }

    /// An element that finds its call taken by another one ends before the call does.
    @Test func theSystemHearsOfCallsWhoseOwnJobHasEndedBefore() {
        var trace = ClusterTrace { ($0.queryInterval, $0.sharesArrays) = (nil, true) }
        for id in [1, 2, 3] as [UInt64] { _ = trace.claim(id) }
        #expect(trace.submitted == [[1, 2, 3]])
        _ = trace.handle(.queued(BatchID(1), [JobID(1), JobID(2), JobID(3)]))
        _ = trace.handle(.jobs([JobID(1): .ended(nil), JobID(2): .ended("it failed")], isAnswer: false))
        #expect(
            trace.handle(.appeared(EntryID(1), .value)) == [.jobIsDone(JobID(1)), .ended(1, .value), .close(EntryID(1))])
        _ = trace.after(200_000)
        #expect(trace.handle(.absent(EntryID(2))).contains(.jobIsDone(JobID(2))))
        #expect(trace.handle(.cancel(TaskID(3), onlyIfNotStarted: false)).contains(.jobIsDone(JobID(3))))
    }

    /// Who queued it may find its call done by another job.
    @Test func nothingDependsOnAForeignJobThatMayVanishUntilTheClientLeaves() {
        var trace = ClusterTrace { ($0.queryInterval, $0.foreignJobsVanish) = (nil, true) }
        for input in [1, 2] as [UInt64] {
            _ = trace.submit(input)
            _ = trace.handle(.looked(EntryID(UInt32(input)), .taken(JobID(input))))
            _ = trace.claim(input + 2, inputs: [input])
        }
        #expect(trace.after(50) == [])
        #expect(trace.handle(.appeared(EntryID(1), .value)) == [.ended(1, .value), .close(EntryID(1)), .submit(1, [3])])
        _ = trace.handle(.queued(BatchID(1), [JobID(3)]))
        #expect(trace.handle(.detach) == [.submit(2, [4], dependencies: [2])])
    }

    /// Its job starts when the input's has ended, which may be before the input's outcome has been read.
    @Test func aDependantThatRunsFailsWithTheErrorOfItsInput() {
        var trace = ClusterTrace { $0.queryInterval = nil }
        _ = trace.queue(1)
        _ = trace.queue(2, inputs: [1])
        #expect(trace.handle(.jobs([JobID(1): .ended(nil)], isAnswer: false)) == [.check([EntryID(1)])])
        #expect(trace.handle(.jobs([JobID(2): .running], isAnswer: false)) == [.started(TaskID(2))])
        let actions = trace.handle(.appeared(EntryID(1), .error))
        #expect(actions.contains(.ended(2, .inputFailed(origin: TaskID(1)))) && actions.contains(.cancelJobs([JobID(2)])))
    }

    @Test func aDependantThatRunsHasItsInputWhoeverCancelsThat() {
        var trace = ClusterTrace { $0.queryInterval = nil }
        _ = trace.queue(1)
        _ = trace.queue(2, inputs: [1])
        _ = trace.handle(.jobs([JobID(1): .ended(nil)], isAnswer: false))
        _ = trace.handle(.jobs([JobID(2): .running], isAnswer: false))
        let actions = trace.handle(.cancel(TaskID(1), onlyIfNotStarted: false))
        #expect(!actions.contains(.cancelJobs([JobID(2)])))
    }

    @Test func leavingQueuesWhatCanBeAndSaysWhatIsNot() {
        var trace = ClusterTrace { $0.jobs = 1 }
        _ = trace.queue(1)
        _ = trace.claim(2)
        #expect(trace.handle(.detach) == [.record(EntryID(2), nil), .detached(notQueued: 1), .finished])
    }

    @Test func leavingWaitsForTheStoreAndTheQueue() {
        var trace = ClusterTrace()
        _ = trace.submit(1)
        #expect(trace.handle(.detach) == [])
        #expect(trace.handle(.looked(EntryID(1), .claimed)) == [.submit(1, [1])])
        #expect(
            trace.handle(.queued(BatchID(1), [JobID(1)])) == [
                .record(EntryID(1), JobID(1)), .detached(notQueued: 0), .finished,
            ])
    }

    @Test func whereJobsDoNotOutliveTheEngineItStays() {
        var trace = ClusterTrace { $0.outlivesClient = false }
        _ = trace.queue(1)
        #expect(trace.handle(.detach) == [.detached(notQueued: 0)])
        #expect(trace.handle(.appeared(EntryID(1), .value)) == [.ended(1, .value), .close(EntryID(1)), .finished])
    }

    @Test func shuttingDownWaitsForEverything() {
        var trace = ClusterTrace()
        _ = trace.queue(1)
        #expect(trace.handle(.shutdown(cancelWaiting: false)) == [])
        #expect(trace.handle(.appeared(EntryID(1), .value)) == [.ended(1, .value), .close(EntryID(1)), .finished])
    }
}
