// SPDX-License-Identifier: BSD-3-Clause
import SwiftletModel
import SwiftletScheduler
import Testing

@Suite struct DeathTests {
    @Test func aCallIsNotRunTwiceUnasked() {
        var trace = Trace.fresh(cores: 1)
        _ = trace.submit(1)
        #expect(trace.dies(1) == over(1, .lost(reasons: [.signalled(9)])))
        #expect(trace.explain(1) == "ended: its worker died (attempt 1 was ended by signal 9 (SIGKILL))")
    }

    @Test func restartsAreCountedPerTaskAndEveryReasonIsKept() {
        var trace = Trace.fresh(cores: 1)
        trace.define(2, ResourceRequest(restartLimit: 2))
        _ = trace.submit(1, request: 2)
        let request = ResourceRequest(restartLimit: 2)
        #expect(trace.dies(1, .signalled(11)) == startsFresh(1, on: 2, request, attempt: 2))
        #expect(trace.dies(2, .exited(status: 3)) == startsFresh(1, on: 3, request, attempt: 3))
        let reasons: [ProcessEnd] = [.signalled(11), .exited(status: 3), .signalled(9)]
        #expect(trace.dies(3) == over(1, .lost(reasons: reasons)))
    }

    @Test func aDeadWarmWorkerIsReplacedInItsPlaceAtOnceThenLaterAndLater() {
        var trace = Trace.warm(2, restarts: 100)
        _ = trace.submit(1)
        _ = trace.submit(2)
        #expect(trace.dies(2) == [starts(3, index: 1)])
        _ = trace.send(.workerReady(WorkerID(3)))
        #expect(trace.dies(3).wake == 100)
        #expect(trace.pass(milliseconds: 100).started == [4])
        _ = trace.send(.workerReady(WorkerID(4)))
        #expect(trace.dies(4).wake == 300)
        #expect(trace.pass(milliseconds: 200).started == [5])
        #expect(trace.send(.workerReady(WorkerID(5))).begun == [1])
        _ = trace.ends(1, on: 5)  // a call was run: the next replacement comes at once
        #expect(trace.dies(5).started == [6])
    }

    @Test func threeDeathsBeforeReadyGiveUpThePool() {
        var trace = Trace.warm(1, ready: false)
        _ = trace.submit(1)
        #expect(trace.dies(1, .exited(status: 1)).started == [2])
        #expect(trace.dies(2, .exited(status: 1)).wake == 100)
        #expect(trace.pass(milliseconds: 100).started == [3])
        let text = "3 workers in a row ended before they were ready; the last one exited with status 7"
        #expect(trace.dies(3, .exited(status: 7)) == over(1, .refused(text)))
        #expect(trace.submit(2) == over(2, .refused(text)))
        #expect(trace.pass(milliseconds: 10_000) == [])
    }

    @Test func aReadyWorkerMakesEarlierDeathsForgotten() {
        var trace = Trace.warm(2, ready: false)
        _ = trace.dies(1)
        _ = trace.dies(2)
        _ = trace.send(.workerReady(WorkerID(3)))
        _ = trace.pass(milliseconds: 100)
        _ = trace.dies(4)
        #expect(trace.submit(1).begun == [1])
    }

    @Test func aPrefetchedCallGoesBackUnchargedButNotForEver() {
        var trace = Trace.warm(1, ready: false)
        trace.define(2, ResourceRequest(priority: 5))
        _ = trace.submit(1000)
        for worker in 1...11 as ClosedRange<UInt32> {
            // A quick call, then one that dies, with task 1000 waiting behind it.
            let (quick, doomed) = (2000 + 2 * UInt64(worker), 2001 + 2 * UInt64(worker))
            _ = trace.submit(quick, request: 2)
            _ = trace.submit(doomed, request: 2)
            #expect(trace.send(.workerReady(WorkerID(worker))).begun == [quick])
            #expect(trace.ends(quick, on: worker).begun == [doomed])
            #expect(trace.explain(1000).hasPrefix("has been given to worker \(worker)"))
            let outcomes = trace.dies(worker).outcomes
            #expect(outcomes[doomed] == .lost(reasons: [.signalled(9)]))
            let isLast = worker == 11
            #expect(outcomes[1000] == (isLast ? .lost(reasons: Array(repeating: .signalled(9), count: 11)) : nil))
        }
    }
}
