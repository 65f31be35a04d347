// SPDX-License-Identifier: BSD-3-Clause
import SwiftletModel
import SwiftletScheduler
import Testing

@Suite struct TimeLimitTests {
    @Test func aCallThatRunsTooLongEndsForItsDependantsAtOnce() {
        var trace = Trace.fresh(cores: 1)
        trace.define(2, ResourceRequest(timeLimit: 5_000_000_000))
        #expect(trace.submit(1, request: 2).wake == 5_000)
        _ = trace.submit(2, needs: 1)
        #expect(trace.pass(milliseconds: 4_999) == [.wake(at: Instant(nanoseconds: 6_000_000_000))])
        let expected =
            over(1, .timeLimit) + over(2, .inputFailed(origin: TaskID(1)))
            + [.endWorker(WorkerID(1), politely: false)]
        #expect(trace.pass(milliseconds: 1) == expected)
        #expect(trace.dies(1) == [])
        #expect(trace.submit(3).begun == [3])
    }

    @Test func aCallThatEndedInTimeLeavesNoDeadline() {
        var trace = Trace.warm(1)
        trace.define(2, ResourceRequest(timeLimit: 5_000_000_000))
        _ = trace.submit(1, request: 2)
        _ = trace.ends(1, on: 1)
        _ = trace.submit(2)
        #expect(trace.pass(milliseconds: 60_000) == [])
    }

    /// Where workers wait for a slot elsewhere, that is not the call's time.
    @Test func waitingElsewhereIsNotCounted() {
        var capacity = Capacity(cores: 1)
        capacity.startsLate = true
        var trace = Trace(scheduler: Scheduler(mode: .fresh, capacity: capacity, restartLimit: 0))
        trace.define(2, ResourceRequest(timeLimit: 5_000_000_000))
        #expect(trace.submit(1, request: 2).wake == nil)
        #expect(trace.pass(milliseconds: 60_000) == [])
        #expect(trace.send(.workerReady(WorkerID(1))).wake == 65_000)
        #expect(trace.pass(milliseconds: 5_000).outcomes == [1: .timeLimit])
    }

    @Test func anEarlierDeadlineMovesTheWake() {
        var trace = Trace.fresh(cores: 3)
        for (id, seconds) in [(2, 9), (3, 4), (4, 6)] as [(UInt32, UInt64)] {
            trace.define(id, ResourceRequest(timeLimit: seconds * 1_000_000_000))
        }
        #expect(trace.submit(1, request: 2).wake == 9_000)
        #expect(trace.submit(2, request: 3).wake == 4_000)
        #expect(trace.submit(3, request: 4).wake == nil)
        let first = trace.pass(milliseconds: 4_000)
        #expect(first.outcomes == [2: .timeLimit])
        #expect(first.wake == 6_000)
        #expect(trace.pass(milliseconds: 5_000).outcomes == [1: .timeLimit, 3: .timeLimit])
    }
}
