// SPDX-License-Identifier: BSD-3-Clause
import SwiftletModel
import SwiftletScheduler
import Testing

@Suite struct WarmTests {
    @Test func workersStartSideBySideAndWorkWhenReady() {
        var trace = Trace.warm(3, ready: false)
        #expect(trace.scheduler.counts.workers == 3)
        #expect(trace.submit(1) == [])
        #expect(trace.explain(1) == "ready, waits for a worker: none of 3 is free")
        #expect(trace.send(.workerReady(WorkerID(2))) == begins(1, on: 2))
        #expect(trace.explain(1) == "runs on worker 2 since 0.0 s, attempt 1")
    }

    @Test func shrinkingEndsIdleWorkersFirstAndGrowingUsesTheLowestFreePlaces() {
        var trace = Trace.warm(3)
        _ = trace.submit(1)  // on worker 3
        #expect(
            trace.send(.resize(1)) == [
                .endWorker(WorkerID(2), politely: true), .endWorker(WorkerID(1), politely: true),
            ])
        #expect(trace.dies(1, .exited(status: 0)) == [])
        #expect(trace.dies(2, .exited(status: 0)) == [])
        #expect(trace.send(.resize(2)) == [starts(4)])
    }

    @Test func aBusyWorkerEndsAfterItsCall() {
        var trace = Trace.warm(1)
        _ = trace.submit(1)
        _ = trace.submit(2)
        #expect(trace.send(.resize(0)) == [.endWorker(WorkerID(1), politely: true)])
        #expect(trace.ends(1, on: 1) == over(1, .value))
        #expect(trace.dies(1, .exited(status: 0)) == [])
        #expect(trace.explain(2) == "ready, but the executor has no workers")
        #expect(trace.send(.resize(1)).started == [2])
        #expect(trace.send(.workerReady(WorkerID(2))) == begins(2, on: 2))
    }

    @Test func whatNoWorkerHasIsRefused() {
        var trace = Trace.warm(1)
        trace.define(2, ResourceRequest(cores: 2))
        #expect(trace.submit(1, request: 2) == over(1, .refused("it asks for 2 cores, each worker has 1")))
    }

    @Test func aPoolThatCannotPrepareRefusesEverything() {
        var trace = Trace.warm(2, ready: false)
        _ = trace.submit(1)
        let actions = trace.send(.workerCannotPrepare(WorkerID(1), reason: "init_function raised"))
        #expect(actions.outcomes == [1: .refused("init_function raised")])
        #expect(actions.contains(.endWorker(WorkerID(1), politely: true)))
        #expect(actions.contains(.endWorker(WorkerID(2), politely: true)))
        #expect(trace.submit(2) == over(2, .refused("init_function raised")))
        #expect(trace.dies(1) == [])
    }

    @Test func eventsThatMakeNoSenseChangeNothing() {
        var trace = Trace.warm(1)
        _ = trace.submit(1)
        let before = trace.scheduler.counts
        #expect(trace.submit(1) == [])
        #expect(trace.ends(2, on: 1) == [])
        #expect(trace.ends(1, on: 9) == [])
        #expect(trace.cancel(9) == [])
        #expect(trace.dies(9) == [])
        #expect(trace.send(.recalled(TaskID(9), WorkerID(1))) == [])
        #expect(trace.send(.resolveExternal(TaskID(1), .value)) == [])
        #expect(trace.scheduler.counts == before)
        #expect(trace.explain(9).hasPrefix("unknown"))
    }
}
