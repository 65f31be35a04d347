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

    @Test mutating func anotherClientsWorkIsWaitedFor() {
        _ = calls.submit(TaskID(1), at: place)
        calls.taken(place)
        #expect(calls.foreign == [place])
        #expect(calls.holderGone(place) == [.look(place)])
        #expect(calls.foreign == [])
        calls.taken(place)
        #expect(calls.found(at: place) == [.answer([TaskID(1)])])
    }
}
