// SPDX-License-Identifier: BSD-3-Clause
import SwiftletModel
import SwiftletScheduler
import Testing

@Suite struct ShutdownTests {
    @Test func anIdlePoolEndsPolitelyAndIsFinishedOnce() {
        var trace = Trace.warm(2)
        #expect(trace.send(.shutdown(cancelWaiting: false)).count == 2)
        #expect(trace.dies(1, .exited(status: 0)) == [])
        #expect(trace.dies(2, .exited(status: 0)) == [.finished])
        #expect(trace.send(.timePassed) == [])
        #expect(trace.submit(1) == over(1, .refused("the executor has been shut down")))
    }

    @Test func submittedTasksFinishFirst() {
        var trace = Trace.fresh(cores: 1)
        _ = trace.submit(1)
        _ = trace.submit(2, needs: 1)
        #expect(trace.send(.shutdown(cancelWaiting: false)) == [])
        _ = trace.ends(1, on: 1)
        #expect(trace.dies(1).begun == [2])
        #expect(trace.ends(2, on: 2) == over(2, .value))
        #expect(trace.dies(2) == [.finished])
    }

    @Test func whatHasNotStartedIsCancelledOnRequest() {
        var trace = Trace.quick(1)
        for id in 10...17 as ClosedRange<UInt64> { _ = trace.submit(id) }
        _ = trace.submit(18, needs: 10)
        let actions = trace.send(.shutdown(cancelWaiting: true))
        #expect(Set(actions.outcomes.keys) == Set(11...18))
        #expect(actions.outcomes.values.allSatisfy { $0 == .cancelled(origin: nil) })
        for id in 11...14 as ClosedRange<UInt64> { #expect(trace.send(.recalled(TaskID(id), WorkerID(1))) == []) }
        #expect(trace.ends(10, on: 1) == over(10, .value) + [.endWorker(WorkerID(1), politely: true)])
        #expect(trace.dies(1) == [.finished])
    }

    @Test func withoutWorkersNothingIsWaitedForForEver() {
        var trace = Trace.warm(0)
        _ = trace.submit(1)
        let text = "the executor was shut down while it had no workers"
        #expect(trace.send(.shutdown(cancelWaiting: false)) == over(1, .refused(text)) + [.finished])
    }

    @Test func anExternalTaskNobodyNeedsIsNotWaitedFor() {
        var trace = Trace.fresh(cores: 1)
        _ = trace.send(.declareExternal(TaskID(1)))
        #expect(trace.send(.shutdown(cancelWaiting: false)) == [.finished])
    }
}
