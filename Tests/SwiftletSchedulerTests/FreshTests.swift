// SPDX-License-Identifier: BSD-3-Clause
import SwiftletModel
import SwiftletScheduler
import Testing

@Suite struct FreshTests {
    @Test func aSlotIsFreeWhenTheProcessIsGoneNotWhenTheCallHasEnded() {
        var trace = Trace.fresh(cores: 1)
        #expect(trace.submit(1) == startsFresh(1, on: 1))
        #expect(trace.submit(2) == [])
        #expect(trace.ends(1, on: 1) == over(1, .value))
        #expect(trace.dies(1, .exited(status: 0)) == startsFresh(2, on: 2))
    }

    @Test(arguments: [
        (ResourceRequest(cores: 9), "it asks for 9 cores, there are 8"),
        (ResourceRequest(cores: 5, threadsPerCore: 2), "it asks for 5 cores with 2 threads each, there are 8 cores"),
        (ResourceRequest(memory: 11), "it asks for 11 bytes of memory, there are 10"),
        (ResourceRequest(cores: 2, gpusPerCore: 2), "it asks for 2 times 2 GPUs, there are 3"),
        (ResourceRequest(cores: 0), "it asks for 0 cores; at least 1 is needed"),
        (ResourceRequest(cores: .max, threadsPerCore: 2), "it asks for \(Int.max) cores with 2 threads each"),
    ])
    func whatCanNeverFitIsRefused(request: ResourceRequest, text: String) {
        var trace = Trace.fresh(cores: 8, memory: 10, gpus: 3)
        trace.define(2, request)
        #expect(trace.submit(1, request: 2) == over(1, .refused(text)))
    }

    @Test func everyResourceLimits() {
        var trace = Trace.fresh(cores: 8, workers: 3, memory: 10, gpus: 2)
        trace.define(2, ResourceRequest(gpusPerCore: 2))
        trace.define(3, ResourceRequest(memory: 6))
        #expect(trace.submit(1, request: 2).begun == [1])
        #expect(trace.submit(2, request: 2).begun == [])  // no GPU left
        #expect(trace.submit(3, request: 3).begun == [3])
        #expect(trace.submit(4, request: 3).begun == [])  // no memory left
        #expect(trace.submit(5).begun == [5])
        #expect(trace.submit(6).begun == [])  // no worker left
        #expect(trace.scheduler.counts.coresUsed == 3)
        #expect(trace.dies(1).begun == [2])
    }

    @Test func higherPriorityGoesFirst() {
        var trace = Trace.fresh(cores: 1)
        trace.define(2, ResourceRequest(priority: 5))
        _ = trace.submit(1)
        _ = trace.submit(2)
        _ = trace.submit(3, request: 2)
        #expect(trace.dies(1).begun == [3])
        #expect(trace.dies(2).begun == [2])
    }

    @Test func smallTasksOvertakeABigOneOnlySoOften() {
        var trace = Trace.fresh(cores: 2)
        trace.define(2, ResourceRequest(cores: 2))
        _ = trace.submit(1)
        _ = trace.submit(2, request: 2)
        var overtakers = 0
        var running: [UInt32] = [1]
        var worker: UInt32 = 1
        for id in 3...100 as ClosedRange<UInt64> where trace.submit(id).begun == [id] {
            // Each overtaker is followed by the end of the older of the two, so one core is always busy.
            overtakers += 1
            worker += 1
            running.append(worker)
            _ = trace.ends(id, on: worker)
            #expect(trace.dies(running.removeFirst()).begun.isEmpty)
        }
        #expect(overtakers == 16)
        #expect(trace.explain(2) == "ready, waits for 2 cores: 1 of 2 is free")
        #expect(trace.explain(50).hasPrefix("ready, waits for a larger task that has been overtaken"))
        #expect(trace.dies(running[0]).begun == [2])
    }

    @Test func aTaskThatWaitsForAGPUDoesNotKeepOthersFromWhatItDoesNotNeed() {
        var trace = Trace.fresh(cores: 4, gpus: 1)
        trace.define(2, ResourceRequest(gpusPerCore: 1))
        _ = trace.submit(1, request: 2)
        _ = trace.submit(2, request: 2)
        for id in 3...200 as ClosedRange<UInt64> {
            let worker = UInt32(id - 1)
            #expect(trace.submit(id).begun == [id])
            _ = trace.ends(id, on: worker)
            _ = trace.dies(worker, .exited(status: 0))
        }
    }

    @Test func aWorkerThatCannotBeStartedIsTriedAgainThreeTimes() {
        var trace = Trace.fresh(cores: 1)
        _ = trace.submit(1)
        var worker: UInt32 = 1
        for delay in [100, 200, 400] as [UInt64] {
            let start = (trace.now - 1_000_000_000) / 1_000_000
            let failure = trace.dies(worker, .failed("fork: no memory"))
            #expect(failure.wake == start + delay)
            #expect(failure.outcomes.isEmpty)
            #expect(trace.explain(1) == "its worker could not be started; it is tried again")
            #expect(trace.pass(milliseconds: delay - 1).begun == [])
            #expect(trace.pass(milliseconds: 1).begun == [1])
            worker += 1
        }
        let last = trace.dies(worker, .failed("fork: no memory"))
        #expect(last == over(1, .refused("its worker could not be started: fork: no memory")))
        #expect(trace.submit(2).begun == [2])
    }

    @Test func whereNothingCanBeStartedFurtherTasksAreTriedOnce() {
        var trace = Trace.fresh(cores: 1)
        var worker: UInt32 = 1
        for id in 1...2 as ClosedRange<UInt64> {
            _ = trace.submit(id)
            for delay in [100, 200, 400] as [UInt64] {
                _ = trace.dies(worker, .failed("no interpreter"))
                _ = trace.pass(milliseconds: delay)
                worker += 1
            }
            #expect(trace.dies(worker, .failed("no interpreter")).outcomes.count == 1)
            worker += 1
        }
        _ = trace.submit(3)
        let refused = trace.dies(worker, .failed("no interpreter"))
        #expect(refused == over(3, .refused("its worker could not be started: no interpreter")))
        _ = trace.submit(4)
        _ = trace.ends(4, on: worker + 1)
        _ = trace.dies(worker + 1, .exited(status: 0))
        _ = trace.submit(5)
        #expect(trace.dies(worker + 2, .failed("no interpreter")).outcomes.isEmpty)
    }

    @Test func pausedNothingStarts() {
        var trace = Trace.fresh(cores: 1)
        _ = trace.send(.setPaused(true))
        #expect(trace.submit(1) == [])
        #expect(trace.explain(1).hasPrefix("paused"))
        #expect(trace.send(.setPaused(false)) == startsFresh(1, on: 1))
    }
}
