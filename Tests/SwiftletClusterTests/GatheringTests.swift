// SPDX-License-Identifier: BSD-3-Clause
import SwiftletCluster
import SwiftletModel
import Testing

@Suite struct GatheringTests {
    @Test func gathersUntilNothingIsSubmittedForAWhile() {
        var trace = ClusterTrace()
        #expect(trace.claim(1) == [])
        trace.milliseconds += 30
        #expect(trace.claim(2) == [])
        #expect(trace.after(30) == [])
        #expect(trace.after(20) == [.submit(1, [1, 2])])
    }

    @Test func aFullArrayGoesAtOnce() {
        var trace = ClusterTrace()
        _ = trace.claim(1)
        _ = trace.claim(2)
        #expect(trace.claim(3) == [.submit(1, [1, 2, 3])])
    }

    @Test func whoWaitsIsNotKeptWaiting() {
        var trace = ClusterTrace()
        _ = trace.claim(1)
        #expect(trace.handle(.somebodyWaits) == [.submit(1, [1])])
    }

    @Test func otherDirectivesAreAnotherArray() {
        var trace = ClusterTrace()
        _ = trace.claim(1, request: 1)
        _ = trace.claim(2, request: 2)
        #expect(trace.after(50) == [.submit(1, [1], request: 1), .submit(2, [2], request: 2)])
    }

    @Test func equalCallsAreOneEntry() {
        var trace = ClusterTrace()
        _ = trace.claim(1)
        #expect(trace.submit(2, entry: 1) == [])
        #expect(trace.after(50) == [.submit(1, [1])])
        _ = trace.handle(.queued(BatchID(1), [JobID(9)]))
        #expect(
            trace.handle(.appeared(EntryID(1), .value)) == [
                .ended(1, .value), .ended(2, entry: 1, .value), .close(EntryID(1)),
            ])
    }

    @Test func whatTheSiteDoesNotTakeWaitsForRoom() {
        var trace = ClusterTrace { $0.jobs = 2 }
        for task in 1...2 { _ = trace.claim(UInt64(task)) }
        #expect(trace.after(50) == [.submit(1, [1, 2])])
        _ = trace.handle(.queued(BatchID(1), [JobID(1), JobID(2)]))
        _ = trace.claim(3)
        #expect(trace.after(50) == [])
        #expect(trace.handle(.appeared(EntryID(1), .value)).contains(.submit(2, [3])))
    }

    @Test func aRefusalEndsItsCallsWithTheReason() {
        var trace = ClusterTrace()
        _ = trace.claim(1)
        _ = trace.after(50)
        #expect(
            trace.handle(.refused(BatchID(1), JobRefusal(reason: "no such partition"))) == [
                .withdraw(EntryID(1)), .ended(1, .refused("no such partition")), .close(EntryID(1)),
            ])
    }

    @Test func aFullQueueIsTriedAgain() {
        var trace = ClusterTrace()
        _ = trace.claim(1)
        _ = trace.after(50)
        #expect(trace.handle(.refused(BatchID(1), JobRefusal(reason: "too many", isTemporary: true))) == [])
        #expect(trace.after(30_000) == [.submit(2, [1])])
    }
}
