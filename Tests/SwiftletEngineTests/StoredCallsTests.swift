// SPDX-License-Identifier: BSD-3-Clause
import SwiftletModel
import SwiftletStore
import Testing

@testable import SwiftletEngine

@Suite struct StoredCallsTests {
    let place = EntryPlace(directory: "/cache", key: "a")
    var calls = StoredCalls()

    @Test mutating func aMissIsClaimedAndRuns() {
        #expect(calls.submit(TaskID(1), at: place) == [.look(place)])
        #expect(calls.claimed(place) == [.run(TaskID(1))])
        #expect(calls.ended(TaskID(1), hasValue: true, isWritten: true) == [])
        #expect(calls.isEmpty)
    }

    @Test mutating func aHitAnswersEveryEqualCall() {
        _ = calls.submit(TaskID(1), at: place)
        #expect(calls.submit(TaskID(2), at: place) == [])
        #expect(calls.found(at: place) == [.answer([TaskID(1), TaskID(2)])])
        #expect(calls.isEmpty)
    }

    @Test mutating func equalCallsWaitForTheOneThatRuns() {
        _ = calls.submit(TaskID(1), at: place)
        _ = calls.claimed(place)
        #expect(calls.submit(TaskID(2), at: place) == [])
        #expect(calls.ended(TaskID(1), hasValue: true, isWritten: true) == [.answer([TaskID(2)])])
    }

    @Test mutating func anErrorIsNoAnswer() {
        _ = calls.submit(TaskID(1), at: place)
        _ = calls.submit(TaskID(2), at: place)
        _ = calls.claimed(place)
        #expect(calls.ended(TaskID(1), hasValue: false, isWritten: true) == [.look(place)])
        #expect(calls.claimed(place) == [.run(TaskID(2))])
    }

    @Test mutating func aCancelledCallPassesTheClaimOn() {
        _ = calls.submit(TaskID(1), at: place)
        _ = calls.submit(TaskID(2), at: place)
        _ = calls.claimed(place)
        #expect(calls.ended(TaskID(1), hasValue: false, isWritten: false) == [.run(TaskID(2))])
        #expect(calls.ended(TaskID(2), hasValue: false, isWritten: false) == [.release(place)])
        #expect(calls.isEmpty)
    }

    @Test mutating func aCallCancelledDuringTheLookGivesTheClaimBack() {
        _ = calls.submit(TaskID(1), at: place)
        #expect(calls.ended(TaskID(1), hasValue: false, isWritten: false) == [])
        #expect(calls.claimed(place) == [.release(place)])
        #expect(calls.isEmpty)
    }

    @Test mutating func whyTheStoreHoldsACallIsSaid() {
        _ = calls.submit(TaskID(1), at: place)
        #expect(calls.explain(TaskID(1)) == "its key is being looked up: \(place)")
        _ = calls.submit(TaskID(2), at: place)
        _ = calls.claimed(place)
        #expect(calls.explain(TaskID(1)) == nil)
        #expect(calls.explain(TaskID(2)) == "waits for \(TaskID(1)), an equal call, which has the same key: \(place)")
        #expect(calls.explain(TaskID(3)) == nil)
    }

    @Test mutating func anotherClientsWorkIsWaitedFor() {
        _ = calls.submit(TaskID(1), at: place)
        calls.taken(place, by: "process 7 on n1")
        #expect(calls.foreign == [place])
        #expect(calls.explain(TaskID(1)) == "waits for another client, which has claimed its key: process 7 on n1; \(place)")
        #expect(calls.holderGone(place) == [.look(place)])
        #expect(calls.foreign == [])
        calls.taken(place, by: "process 7 on n1")
        #expect(calls.found(at: place) == [.answer([TaskID(1)])])
    }
}
