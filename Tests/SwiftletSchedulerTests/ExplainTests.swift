// SPDX-License-Identifier: BSD-3-Clause
import SwiftletModel
import SwiftletScheduler
import Testing

@Suite struct ExplainTests {
    @Test func waitingNamesTheInputsThatAreMissing() {
        var trace = Trace.fresh(cores: 1)
        for id in 1...3 as ClosedRange<UInt64> { _ = trace.submit(id) }
        _ = trace.send(.declareExternal(TaskID(4)))
        _ = trace.submit(5, needs: 3, 2, 3)
        _ = trace.submit(6, needs: 4)
        #expect(trace.explain(5) == "waits for 2 inputs: task 2, task 3")
        #expect(trace.explain(6) == "waits for 1 input: task 4")
        #expect(trace.explain(4) == "waits for the client to end it")
    }

    @Test func readySaysWhatIsMissingAndWhoIsAhead() {
        var trace = Trace.fresh(cores: 4)
        trace.define(2, ResourceRequest(cores: 3))
        for id in 1...4 as ClosedRange<UInt64> { _ = trace.submit(id, request: 2) }
        #expect(trace.explain(2) == "ready, waits for 3 cores: 1 of 4 is free")
        #expect(trace.explain(4) == "ready, waits for 3 cores: 1 of 4 is free; 2 tasks are ahead of it")
    }

    @Test func runningSaysWhereAndSinceWhen() {
        var trace = Trace.warm(1, restarts: 1)
        _ = trace.submit(1)
        _ = trace.dies(1)
        _ = trace.send(.workerReady(WorkerID(2)))
        trace.now += 2_140_000_000
        #expect(trace.explain(1) == "runs on worker 2 since 2.1 s, attempt 2")
    }

    @Test func endedSaysHow() {
        var trace = Trace.fresh(cores: 2)
        _ = trace.submit(1)
        _ = trace.submit(2, needs: 1)
        _ = trace.ends(1, on: 1, failed: true)
        _ = trace.submit(3)
        _ = trace.cancel(3)
        #expect(trace.explain(1) == "ended: its call raised an error")
        #expect(trace.explain(2) == "ended: it needs task 1, which failed")
        #expect(trace.explain(3) == "ended: cancelled")
        _ = trace.release(3)
        #expect(trace.explain(3).hasPrefix("unknown"))
    }
}
