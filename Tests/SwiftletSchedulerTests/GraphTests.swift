// SPDX-License-Identifier: BSD-3-Clause
import SwiftletModel
import SwiftletScheduler
import Testing

@Suite struct GraphTests {
    @Test func aDependantBeginsWhenItsLastInputHasEnded() {
        var trace = Trace.warm(2)
        #expect(trace.submit(1) == begins(1, on: 2))
        #expect(trace.submit(2) == begins(2, on: 1))
        #expect(trace.submit(3, needs: 1, 2) == [])
        #expect(trace.ends(1, on: 2) == over(1, .value))
        #expect(trace.ends(2, on: 1) == over(2, .value) + begins(3, on: 1))
    }

    @Test func anInputThatHasEndedIsNotWaitedFor() {
        var trace = Trace.warm(1)
        _ = trace.submit(1)
        _ = trace.ends(1, on: 1)
        #expect(trace.submit(2, needs: 1, 1) == begins(2, on: 1))
    }

    @Test func aFailureEndsTheWholeChainWithItsFirstCause() {
        var trace = Trace.warm(1)
        _ = trace.submit(1)
        _ = trace.submit(2, needs: 1)
        _ = trace.submit(3, needs: 2, 1)
        let cause = Outcome.inputFailed(origin: TaskID(1))
        let actions = trace.ends(1, on: 1, failed: true)
        #expect(actions.outcomes == [1: .error, 2: cause, 3: cause])
        #expect(actions.filter { $0 == .dropArguments(TaskID(3)) }.count == 1)
        #expect(trace.submit(4, needs: 3) == over(4, cause))
    }

    @Test func whyAChainEndedIsKeptWhileSomethingCanDependOnIt() {
        var trace = Trace.warm(1)
        _ = trace.submit(1)
        _ = trace.submit(2, needs: 1)
        _ = trace.ends(1, on: 1, failed: true)
        #expect(trace.release(1) == [])
        #expect(trace.submit(3, needs: 2) == over(3, .inputFailed(origin: TaskID(1))))
        #expect(trace.release(2) == [])
        #expect(trace.release(3) == [.dropValue(TaskID(1))])
    }

    @Test func aCancelledInputCancelsItsDependants() {
        var trace = Trace.warm(0)
        _ = trace.submit(1)
        _ = trace.submit(2, needs: 1)
        _ = trace.submit(3, needs: 2)
        let cause = Outcome.cancelled(origin: TaskID(1))
        let expected = over(1, .cancelled(origin: nil), tellClient: false) + over(2, cause) + over(3, cause)
        #expect(trace.cancel(1) == expected)
    }

    @Test func anInputThatWasReleasedIsRefusedByName() {
        var trace = Trace.warm(1)
        _ = trace.submit(1)
        _ = trace.ends(1, on: 1)
        #expect(trace.release(1) == [.dropValue(TaskID(1))])
        let text = "task 1, an input, is not known: it was never submitted, or has been released"
        #expect(trace.submit(2, needs: 1) == over(2, .refused(text)))
    }

    @Test func aValueIsKeptWhileAnUnfinishedDependantNeedsIt() {
        var trace = Trace.warm(1, restarts: 1)
        _ = trace.submit(1)
        _ = trace.submit(2, needs: 1)
        _ = trace.ends(1, on: 1)
        #expect(trace.release(1) == [])
        #expect(!trace.dies(1).contains(.dropValue(TaskID(1))))
        _ = trace.send(.workerReady(WorkerID(2)))
        #expect(trace.ends(2, on: 2) == over(2, .value) + [.dropValue(TaskID(1))])
        #expect(trace.release(2) == [.dropValue(TaskID(2))])
        #expect(trace.release(2) == [])
    }

    @Test func anExternalTaskIsAnInputThatTheClientEnds() {
        var trace = Trace.warm(1)
        _ = trace.send(.declareExternal(TaskID(1)))
        _ = trace.submit(2, needs: 1)
        let actions = trace.send(.resolveExternal(TaskID(1), .value))
        #expect(actions == [.ended(TaskID(1), .value, tellClient: false)] + begins(2, on: 1))
        #expect(trace.release(1) == [])
        #expect(trace.ends(2, on: 1).contains(.dropValue(TaskID(1))))
    }

    @Test func aVeryLongChainFailsWithoutExhaustingTheStack() {
        var trace = Trace.warm(1)
        _ = trace.submit(1)
        for id in 2...100_000 as ClosedRange<UInt64> { _ = trace.submit(id, needs: id - 1) }
        #expect(trace.ends(1, on: 1, failed: true).outcomes.count == 100_000)
        #expect(trace.scheduler.counts.ended == 100_000)
    }

    @Test func readyTasksRunInTheOrderOfSubmissionAlsoWhenTheyBecameReadyLate() {
        var trace = Trace.warm(1)
        _ = trace.submit(1)
        _ = trace.submit(2, needs: 1)
        _ = trace.submit(3)
        #expect(trace.ends(1, on: 1).begun == [2])
    }
}
