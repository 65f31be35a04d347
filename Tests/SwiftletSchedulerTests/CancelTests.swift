// SPDX-License-Identifier: BSD-3-Clause
import SwiftletModel
import SwiftletScheduler
import Testing

@Suite struct CancelTests {
    @Test func aQueuedTaskEndsAtOnceAndIsNeverStarted() {
        var trace = Trace.fresh(cores: 1)
        for id in 1...3 as ClosedRange<UInt64> { _ = trace.submit(id) }
        #expect(trace.cancel(2) == over(2, .cancelled(origin: nil), tellClient: false))
        #expect(trace.cancel(2) == [])
        #expect(trace.dies(1).begun == [3])
    }

    @Test func onlyWhatHasNotStartedIsToldAndARunningTaskGoesOn() {
        var trace = Trace.fresh(cores: 1)
        _ = trace.submit(1)
        _ = trace.submit(2)
        #expect(trace.cancel(1, onlyIfNotStarted: true) == [])
        #expect(trace.cancel(2, onlyIfNotStarted: true) == over(2, .cancelled(origin: nil)))
        #expect(trace.ends(1, on: 1) == over(1, .value))
    }

    @Test func aRunningFreshTaskIsEndedAndItsSlotIsFreeWhenTheProcessIsGone() {
        var trace = Trace.fresh(cores: 1)
        _ = trace.submit(1)
        _ = trace.submit(2)
        let end = [SchedulerAction.endWorker(WorkerID(1), politely: false)]
        #expect(trace.cancel(1) == over(1, .cancelled(origin: nil), tellClient: false) + end)
        #expect(trace.ends(1, on: 1) == [])  // its result crosses the cancel
        #expect(trace.release(1) == [])
        #expect(trace.dies(1) == startsFresh(2, on: 2))
    }

    @Test func aWarmWorkerThatIsKilledForItIsReplacedAndChargedToNobody() {
        var trace = Trace.quick(1)
        _ = trace.submit(10)
        _ = trace.submit(11)
        let cancelled = over(10, .cancelled(origin: nil), tellClient: false)
        let stop: [SchedulerAction] = [.recall(TaskID(11), WorkerID(1)), .endWorker(WorkerID(1), politely: false)]
        #expect(trace.cancel(10) == cancelled + stop)
        #expect(trace.dies(1, .signalled(15)) == [starts(2)])
        #expect(trace.send(.workerReady(WorkerID(2))) == begins(11, on: 2))
    }

    @Test func aPrefetchedCallIsTakenBackWithoutHurtingTheRunningOne() {
        var trace = Trace.quick(1)
        _ = trace.submit(10)
        _ = trace.submit(11)
        let cancelled = over(11, .cancelled(origin: nil), tellClient: false)
        #expect(trace.cancel(11) == [.recall(TaskID(11), WorkerID(1))] + cancelled)
        #expect(trace.release(11) == [])
        #expect(trace.ends(10, on: 1) == over(10, .value))
        #expect(trace.send(.recalled(TaskID(11), WorkerID(1))) == [])
        #expect(trace.submit(12).begun == [12])
        #expect(trace.pass(milliseconds: 50).allSatisfy { $0 != .endWorker(WorkerID(1), politely: false) })
    }

    @Test func aPrefetchedCallThatEndedBeforeItsRecallIsDropped() {
        var trace = Trace.quick(1)
        _ = trace.submit(10)
        _ = trace.submit(11)
        _ = trace.cancel(11)
        _ = trace.ends(10, on: 1)
        #expect(trace.ends(11, on: 1) == [])
        #expect(trace.submit(12).begun == [12])
    }

    @Test func aCancelledCallThatBeganAllTheSameIsEndedAfterAWhile() {
        var trace = Trace.quick(1)
        _ = trace.submit(10)
        _ = trace.submit(11)
        _ = trace.cancel(11)
        _ = trace.ends(10, on: 1)
        #expect(trace.pass(milliseconds: 49) == [.wake(at: Instant(nanoseconds: 1_050_000_000))])
        #expect(trace.pass(milliseconds: 1) == [.endWorker(WorkerID(1), politely: false)])
        #expect(trace.dies(1).started == [2])
    }

    @Test func aTaskThatWaitsForItsNextTryCanBeCancelled() {
        var trace = Trace.fresh(cores: 1)
        _ = trace.submit(1)
        _ = trace.submit(2)
        _ = trace.dies(1, .failed("fork: no memory"))
        #expect(trace.cancel(1) == over(1, .cancelled(origin: nil), tellClient: false) + startsFresh(2, on: 2))
        #expect(trace.pass(milliseconds: 100) == [])
    }
}
