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
        _ = trace.claim(4)
        _ = trace.after(50)
        _ = trace.handle(.appeared(EntryID(1), .value))
        #expect(trace.submitted == [[1, 2]])
        _ = trace.handle(.appeared(EntryID(2), .value))
        #expect(trace.submitted == [[1, 2], [3, 4]])
    }

    @Test func endsOfJobsAreGatheredUntilTheirRoomIsUsed() {
        var trace = ClusterTrace { ($0.jobs, $0.arraySize) = (3, 3) }
        for task in 1...6 { _ = trace.claim(UInt64(task)) }
        #expect(trace.after(50).isEmpty)
        _ = trace.handle(.queued(BatchID(1), [JobID(1), JobID(2), JobID(3)]))
        _ = trace.handle(.appeared(EntryID(1), .value))
        _ = trace.handle(.appeared(EntryID(2), .value))
        #expect(trace.submitted == [[1, 2, 3]])
        _ = trace.after(200)
        #expect(trace.submitted == [[1, 2, 3], [4, 5]])
    }

    @Test func whereSoManyAreTooManyFewerAreTried() {
        var trace = ClusterTrace { $0.arraySize = 8 }
        for task in 1...8 { _ = trace.claim(UInt64(task)) }
        let full = JobRefusal(reason: "QOSMaxSubmitJobPerUserLimit", isForLackOfRoom: true)
        _ = trace.handle(.refused(BatchID(1), full))
        _ = trace.handle(.refused(BatchID(2), full))
        #expect(trace.submitted == [Array(1...8), Array(1...4), [1, 2]])
        _ = trace.handle(.queued(BatchID(3), [JobID(1), JobID(2)]))
        // Not before one has ended, or later.
        _ = trace.after(1_900)
        #expect(trace.submitted.count == 3)
        _ = trace.handle(.appeared(EntryID(1), .value))
        _ = trace.after(200)
        #expect(trace.submitted.last == [3])
        _ = trace.handle(.queued(BatchID(4), [JobID(3)]))
        #expect(trace.submitted.last == [4, 5])
        // What is refused after that is tried less and less often.
        _ = trace.handle(.refused(BatchID(5), full))
        _ = trace.handle(.refused(BatchID(6), full))
        let count = trace.submitted.count
        _ = trace.after(900)
        #expect(trace.submitted.count == count)
    }

    @Test func nothingIsQueuedBeforeTheSystemHasSaidHowFarItGoes() {
        var trace = ClusterTrace { $0.areKnown = false }
        for task in 1...2 { _ = trace.claim(UInt64(task)) }
        #expect(!trace.after(50).contains { if case .submit = $0 { true } else { false } })
        #expect(!trace.handle(.detach).contains { if case .detached = $0 { true } else { false } })
        var limits = JobLimits(system: "test", arraySize: 1)
        limits.areKnown = true
        _ = trace.handle(.limits(limits))
        #expect(trace.submitted == [[1], [2]])
    }

    @Test func aSingleJobThatIsRefusedWaits() {
        var trace = ClusterTrace { $0.arraySize = 1 }
        _ = trace.claim(1)
        let full = JobRefusal(reason: "QOSMaxSubmitJobPerUserLimit", isForLackOfRoom: true)
        _ = trace.handle(.refused(BatchID(1), full))
        _ = trace.after(999)
        #expect(trace.submitted == [[1]])
        _ = trace.after(1)
        #expect(trace.submitted == [[1], [1]])
        _ = trace.handle(.refused(BatchID(2), full))
        _ = trace.after(1_999)
        #expect(trace.submitted.count == 2)
        _ = trace.after(1)
        #expect(trace.submitted.count == 3)
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
