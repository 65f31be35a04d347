// SPDX-License-Identifier: BSD-3-Clause
import SwiftletCluster
import SwiftletModel
import Testing

@testable import SwiftletEngine

@Suite struct AgentPlacesTests {
    private var places = AgentPlaces(count: 2)
    private let second: UInt64 = 1_000_000_000
    private func at(_ seconds: UInt64) -> Instant { Instant(nanoseconds: (100 + seconds) * second) }

    init() {
        #expect(places.start() == [.queue([0, 1])])
        #expect(places.queued([0, 1], [JobID(7, index: 0), JobID(7, index: 1)]) == [])
    }

    @Test mutating func aPlaceWhoseAgentIsLostGetsAnotherJobAtOnce() {
        places.came(0, at: at(0))
        #expect(places.lost(0, "its time is over", at: at(60)) == [.cancel([JobID(7, index: 0)]), .wake(at: at(60))])
        #expect(places.timePassed(at: at(60)) == [.queue([0])])
        // What is told of the old job later concerns nobody.
        #expect(places.ended(JobID(7, index: 0), "TIMEOUT", at: at(61)) == [])
        #expect(places.queued([0], [JobID(8)]) == [])
        #expect(places.job(of: 0) == JobID(8))
    }

    @Test mutating func theEndOfAJobIsTheEndOfItsAgent() {
        places.came(1, at: at(0))
        #expect(places.ended(JobID(7, index: 1), "NODE_FAIL", at: at(5)) == [.lost(1, "NODE_FAIL")])
    }

    @Test mutating func jobsThatBringNoAgentAreTriedAgainMoreAndMoreSlowlyAndThenNoMore() {
        #expect(places.ended(JobID(7, index: 0), "FAILED", at: at(0)) == [.wake(at: at(2))])
        #expect(places.ended(JobID(7, index: 1), "FAILED", at: at(0)) == [.wake(at: at(2))])
        #expect(places.timePassed(at: at(2)) == [.queue([0]), .wake(at: at(4))])
        #expect(places.queued([0], [JobID(9)]) == [])
        let reason = "3 jobs in a row ended before a worker could be started in them; the last one: no route"
        #expect(places.ended(JobID(9), "no route", at: at(3)) == [.giveUp(reason)])
        #expect(places.timePassed(at: at(60)) == [])
    }

    @Test mutating func whileAnotherAgentIsThereNothingIsGivenUp() {
        places.came(1, at: at(0))
        for attempt: UInt64 in 0..<10 {
            #expect(places.ended(places.job(of: 0)!, "FAILED", at: at(100 * attempt)).count == 1)
            #expect(places.timePassed(at: at(100 * attempt + 64)) == [.queue([0])])
            #expect(places.queued([0], [JobID(20 + attempt)]) == [])
        }
    }

    @Test mutating func aJobThatNoneCanBeIsTheEndWhereNoAgentIsThere() {
        var others = places
        let reason = "unsatisfiable request"
        #expect(places.cannotRun(JobID(7, index: 0), reason, at: at(0)) == [.cancel([JobID(7, index: 1)]), .giveUp(reason)])
        others.came(1, at: at(0))
        #expect(others.cannotRun(JobID(7, index: 0), reason, at: at(0)) == [.wake(at: at(2))])
    }

    @Test mutating func aRefusalForGoodIsTheEnd() {
        #expect(places.refused([0], JobRefusal(reason: "full", isTemporary: true), at: at(0)) == [.wake(at: at(10))])
        #expect(
            places.refused([0], JobRefusal(reason: "no such partition"), at: at(1))
                == [.cancel([JobID(7, index: 0), JobID(7, index: 1)]), .giveUp("no such partition")])
    }

    @Test mutating func whereSoManyAreTooManyFewerAreTried() {
        let full = JobRefusal(reason: "AssocMaxSubmitJobLimit", isForLackOfRoom: true)
        #expect(places.refused([0, 1], full, at: at(0)) == [.queue([0]), .wake(at: at(10))])
        #expect(places.refused([0], full, at: at(1)) == [.wake(at: at(10))])
        #expect(places.timePassed(at: at(10)) == [.queue([1]), .wake(at: at(11))])
    }

    @Test mutating func whenItClosesOnlyJobsWithoutAgentsAreTakenOutOfTheQueue() {
        places.came(0, at: at(0))
        #expect(places.close() == [.cancel([JobID(7, index: 1)])])
        #expect(places.queued([0], [JobID(8)]) == [.cancel([JobID(8)])])
        #expect(places.ended(JobID(7, index: 0), "COMPLETED", at: at(1)) == [])
    }
}
