// SPDX-License-Identifier: BSD-3-Clause
import SwiftletModel
import SwiftletScheduler
import Testing

@Suite struct PrefetchTests {
    @Test(arguments: [(0, 128), (5_000, 100), (10_000, 50), (50_000, 16), (190_000, 16)] as [(UInt64, UInt64)])
    func aQuickWorkerIsGivenHalfAMillisecondOfCallsAheadWhichBeginInTurn(nanoseconds: UInt64, ahead: UInt64) {
        var trace = Trace.warm(1)
        _ = trace.submit(1)
        trace.now += nanoseconds
        _ = trace.ends(1, on: 1)
        let first = UInt64(10), last = first + ahead
        #expect(trace.submit(first) == begins(first, on: 1))
        for id in first + 1...last {
            #expect(trace.submit(id).first == .assign(TaskID(id), WorkerID(1), attempt: 1))
        }
        #expect(trace.submit(last + 1) == [])
        #expect(trace.scheduler.counts.ready == Int(ahead) + 1)
        let next: [SchedulerAction] = [
            .begun(TaskID(first + 1), WorkerID(1), attempt: 1), .assign(TaskID(last + 1), WorkerID(1), attempt: 1),
        ]
        #expect(trace.ends(first, on: 1) == over(first, .value) + next)
    }

    @Test func aWorkerWithLongCallsIsGivenNothingAhead() {
        var trace = Trace.warm(1)
        _ = trace.submit(1)
        trace.now += 300_000
        _ = trace.ends(1, on: 1)
        _ = trace.submit(2)
        #expect(trace.submit(3) == [])
    }

    @Test func aWorkerFromWhichNothingCanBeHadBackIsGivenNothingAhead() {
        var trace = Trace.warm(1, ready: false)
        _ = trace.send(.workerReady(WorkerID(1), takesAhead: false))
        _ = trace.submit(1)
        _ = trace.ends(1, on: 1, isShort: true)
        #expect(trace.submit(2) == begins(2, on: 1))
        #expect(trace.submit(3) == [])
        #expect(trace.ends(2, on: 1, isShort: true) == over(2, .value) + begins(3, on: 1))
    }

    @Test func aShortCallWhoseEndIsHeardLateMakesAQuickWorkerThatIsGivenMoreAhead() {
        var trace = Trace.warm(1)
        _ = trace.submit(1)
        trace.now += 5_000_000
        _ = trace.ends(1, on: 1, isShort: true)
        for id in 2...68 as ClosedRange<UInt64> {
            #expect(trace.submit(id).first == .assign(TaskID(id), WorkerID(1), attempt: 1))
        }
        #expect(trace.submit(69) == [])
        #expect(trace.pass(milliseconds: 9).recalled == [], "it may have ended long ago")
        #expect(trace.pass(milliseconds: 1).recalled == Array(3...68), "after twice the delay it counts as a long one")
    }

    @Test func howLateEndsAreHeardIsForgottenByAndBy() {
        var trace = Trace.warm(1)
        _ = trace.submit(1)
        trace.now += 5_000_000
        _ = trace.ends(1, on: 1, isShort: true)
        for id in 2...400 as ClosedRange<UInt64> {
            _ = trace.submit(id)
            _ = trace.ends(id, on: 1, isShort: true)
        }
        _ = trace.submit(401)
        trace.now += 1_100_000
        #expect(trace.submit(402) == [])
    }

    @Test func aWorkerWhoseCallTurnsOutToBeLongIsGivenNothingAhead() {
        var trace = Trace.quick(1)
        _ = trace.submit(10)
        trace.now += 1_100_000
        #expect(trace.submit(11) == [])
    }

    @Test func aCallWithATimeLimitIsNeverGivenAhead() {
        var trace = Trace.quick(1)
        trace.define(2, ResourceRequest(timeLimit: 1_000_000_000))
        _ = trace.submit(10)
        #expect(trace.submit(11, request: 2) == [])
    }

    @Test func aCallStuckBehindALongOneIsAskedBackForAnIdleWorker() {
        var trace = Trace.quick(2)
        _ = trace.submit(10)  // on worker 2, which was busy last
        _ = trace.submit(11)
        #expect(trace.submit(12).wake == 10)
        #expect(trace.explain(12).hasPrefix("has been given to worker 2"))
        #expect(trace.ends(11, on: 1).wake == 1)
        #expect(trace.pass(milliseconds: 1) == [.recall(TaskID(12), WorkerID(2))])
        #expect(trace.send(.recalled(TaskID(12), WorkerID(2))) == begins(12, on: 1))
        #expect(trace.pass(milliseconds: 60_000) == [])
    }

    @Test func aCallThatWasAskedBackTooLateRunsWhereItIs() {
        var trace = Trace.quick(2)
        for id in 10...12 as ClosedRange<UInt64> { _ = trace.submit(id) }
        _ = trace.ends(11, on: 1)
        #expect(trace.pass(milliseconds: 1) == [.recall(TaskID(12), WorkerID(2))])
        #expect(trace.ends(10, on: 2).begun == [12])
        #expect(trace.ends(12, on: 2) == over(12, .value))
    }

    @Test func aCallThatComesBackAfterItWasTakenForBegunIsNotCountedAsAnAttempt() {
        var trace = Trace.quick(2)
        for id in 10...12 as ClosedRange<UInt64> { _ = trace.submit(id) }
        _ = trace.ends(11, on: 1)
        _ = trace.pass(milliseconds: 1)
        _ = trace.ends(10, on: 2)
        let again = trace.send(.recalled(TaskID(12), WorkerID(2)))
        #expect(again == begins(12, on: 2))  // which has nothing to do now either
        #expect(trace.scheduler.counts.running == 1)
    }
}
