// SPDX-License-Identifier: BSD-3-Clause
import SwiftletModel
import SwiftletScheduler
import Testing

@Suite struct ScaleTests {
    /// A scan of the queue or of the workers for each event would make this take minutes.
    @Test func aLongQueueGoesThroughTenThousandWorkers() {
        let (workers, total) = (10_000, 100_000 as UInt64)
        var trace = Trace.warm(workers)
        trace.define(1, ResourceRequest())
        var actions: [SchedulerAction] = []
        var ended = 0
        func handle(_ event: SchedulerEvent) {
            trace.scheduler.handle(event, at: Instant(nanoseconds: trace.now), into: &actions)
        }
        for id in 1...total { handle(.submit(TaskID(id), request: RequestID(1), inputs: [])) }
        #expect(trace.scheduler.counts.ready == Int(total) - workers)
        var next = 0
        while next < actions.count {
            switch actions[next] {
            case .begun(let task, let worker, _): handle(.taskEnded(task, worker, failed: false))
            case .ended(let task, let outcome, _):
                if outcome == .value { ended += 1 }
                handle(.release(task))
            default: break
            }
            next += 1
        }
        #expect(ended == Int(total))
        #expect(trace.scheduler.counts.running == 0)
    }
}
