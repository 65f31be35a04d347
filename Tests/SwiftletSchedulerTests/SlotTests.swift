// SPDX-License-Identifier: BSD-3-Clause
import SwiftletModel
import SwiftletScheduler
import Testing

/// Which slot a call gets.
@Suite struct SlotTests {
    private func trace(_ nodes: [Node], cores: Int? = nil, span: Bool = false, mode: WorkerMode = .fresh) -> Trace {
        let inventory = Inventory(nodes: nodes, groupsSpanNodes: span)
        let capacity = Capacity(cores: cores, inventory: inventory)
        return Trace(scheduler: Scheduler(mode: mode, capacity: capacity, restartLimit: 0))
    }

    private func placements(_ actions: [SchedulerAction]) -> [[Slot.Placement]] {
        actions.compactMap { if case .startWorker(_, _, _, let slot) = $0 { slot.placements } else { nil } }
    }

    @Test func ownedCoresAreHandedOutByNumberAndComeBack() {
        var trace = trace([Node(name: "a", domains: [[4, 5, 6, 7]])])
        trace.define(2, ResourceRequest(cores: 1, threadsPerCore: 3))
        #expect(placements(trace.submit(1))[0][0].cores == [4])
        #expect(placements(trace.submit(2, request: 2))[0][0].cores == [5, 6, 7])
        #expect(trace.submit(3).begun == [])
        #expect(trace.explain(3) == "ready, waits for 1 core: 0 of 4 are free")
        #expect(placements(trace.dies(1, .exited(status: 0)))[0][0].cores == [4])
    }

    @Test func coresOfOneDomainArePreferred() {
        var trace = trace([Node(name: "a", domains: [[0, 1, 2], [3, 4]])])
        trace.define(2, ResourceRequest(threadsPerCore: 2))
        trace.define(3, ResourceRequest(threadsPerCore: 3))
        #expect(placements(trace.submit(1, request: 2))[0][0].cores == [3, 4])
        #expect(placements(trace.submit(2, request: 3))[0][0].cores == [0, 1, 2])
        _ = trace.dies(1)
        _ = trace.dies(2)
        #expect(placements(trace.submit(3))[0][0].cores == [3])
        #expect(placements(trace.submit(4, request: 2))[0][0].cores == [0, 1])
    }

    @Test func gpusAreExclusiveWordsInTheOrderOfTheRanks() {
        var trace = trace([Node(name: "a", coreCount: 8, gpus: ["GPU-x", "GPU-y", "MIG-z"])])
        trace.define(2, ResourceRequest(cores: 2, gpusPerCore: 1))
        trace.define(3, ResourceRequest(gpusPerCore: 1))
        #expect(placements(trace.submit(1, request: 2))[0][0].gpus == ["GPU-x", "GPU-y"])
        #expect(placements(trace.submit(2, request: 3))[0][0].gpus == ["MIG-z"])
        #expect(trace.submit(3, request: 3).begun == [])
        #expect(trace.explain(3) == "ready, waits for 1 GPU: 0 of 3 are free")
        #expect(placements(trace.dies(1))[0][0].gpus == ["GPU-x"])
    }

    @Test func onANodeEitherAgentsOrALauncherHandOutGPUs() {
        var inventory = Inventory(nodes: ["a", "b"].map { Node(name: $0, coreCount: 4, gpus: ["0", "1"]) })
        inventory.stepsChooseGPUs = true
        let capacity = Capacity(inventory: inventory)
        var trace = Trace(scheduler: Scheduler(mode: .fresh, capacity: capacity, restartLimit: 0))
        trace.define(2, ResourceRequest(gpusPerCore: 1))
        var step = ResourceRequest(gpusPerCore: 1)
        step.step.isAskedFor = true
        trace.define(3, step)
        trace.define(4, ResourceRequest(cores: 2, gpusPerCore: 1))
        #expect(placements(trace.submit(1, request: 2))[0][0].name == "a")
        let other = placements(trace.submit(2, request: 3))[0][0]
        #expect((other.name, other.hasChosenGPUs) == ("b", true))
        // There is a free GPU on each node, and room for the ranks on none.
        #expect(placements(trace.submit(3, request: 4)) == [])
        #expect(placements(trace.submit(4, request: 2))[0][0].gpus == ["1"])
        #expect(placements(trace.submit(5, request: 3))[0][0].name == "b")
        // Who needs no GPU is not concerned.
        #expect(placements(trace.submit(6)).count == 1)
        #expect(placements(trace.dies(1)) == [])
        #expect(placements(trace.dies(3)).map { $0[0].name } == ["a"])
    }

    @Test func smallCallsArePackedAndSpareTheGPUs() {
        var trace = trace([
            Node(name: "gpu", coreCount: 4, gpus: ["0"]), Node(name: "big", coreCount: 8), Node(name: "small", coreCount: 4),
        ])
        trace.define(2, ResourceRequest(cores: 8))
        let names = (1...4).flatMap { placements(trace.submit(UInt64($0))) }.map { $0[0].name }
        #expect(names == ["small", "small", "small", "small"])
        #expect(placements(trace.submit(5, request: 2))[0][0].name == "big")
        #expect(placements(trace.submit(6))[0][0].name == "gpu")
    }

    @Test func ranksAreSpreadEvenlyOverTheNodesAskedFor() {
        var trace = trace((1...3).map { Node(name: "n\($0)", coreCount: 4) })
        trace.define(2, ResourceRequest(cores: 5, memory: 0, nodes: 2))
        trace.define(3, ResourceRequest(cores: 9, nodes: 3))
        trace.define(4, ResourceRequest(cores: 4, nodes: 4))
        trace.define(5, ResourceRequest(cores: 2, nodes: 3))
        let shares = placements(trace.submit(1, request: 2))[0]
        #expect(shares.map(\.ranks) == [3, 2])
        #expect(Set(shares.map(\.node)).count == 2)
        _ = trace.submit(2, request: 3)
        #expect(trace.explain(2) == "ready, waits for 3 nodes with 3 cores each: 1 of 3 has that free")
        #expect(trace.submit(3, request: 4) == over(3, .refused("it asks for 4 nodes, there are 3")))
        #expect(trace.submit(4, request: 5) == over(4, .refused("it asks for 3 nodes, but only for 2 ranks")))
    }

    @Test func aGroupTooLargeForANodeSpansAsFewAsPossibleWhereItCan() {
        let nodes = (1...4).map { Node(name: "n\($0)", coreCount: 4, memory: 100) }
        var apart = trace(nodes)
        apart.define(2, ResourceRequest(cores: 6))
        #expect(apart.submit(1, request: 2) == over(1, .refused("it asks for 6 cores, the node with the most has 4")))
        var together = trace(nodes, span: true)
        together.define(2, ResourceRequest(cores: 6, memory: 50))
        together.define(3, ResourceRequest(cores: 17))
        together.define(4, ResourceRequest(cores: 4))
        #expect(placements(together.submit(1, request: 2))[0].map(\.ranks) == [4, 2])
        #expect(placements(together.submit(2, request: 4))[0].map(\.ranks) == [4])  // fits a node: gets one
        guard case .ended(_, .refused(let text), _) = together.submit(3, request: 3)[0] else { return #expect(Bool(false)) }
        #expect(text.hasSuffix("the 4 nodes have 16 cores and 0 GPUs, and cannot hold it"))
    }

    @Test func exclusiveMeansNothingElseOnTheNode() {
        var trace = trace([Node(name: "a", domains: [[0, 1, 2, 3]])])
        trace.define(2, ResourceRequest(isExclusive: true))
        _ = trace.submit(1)
        #expect(trace.submit(2, request: 2).begun == [])
        #expect(trace.explain(2) == "ready, waits for the whole node: 1 other call is on it")
        let slot = placements(trace.dies(1, .exited(status: 0)))[0][0]
        #expect(slot.cores == [0, 1, 2, 3])
        #expect(trace.submit(3).begun == [])
        #expect(trace.explain(3) == "ready, waits for a call that has the whole node")
        #expect(trace.dies(2, .exited(status: 0)).begun == [3])
    }

    @Test func aLostNodeIsNotUsedAndItsDeathsAreChargedToNobody() {
        var trace = trace([Node(name: "a", coreCount: 1), Node(name: "b", coreCount: 1, isUp: false)])
        #expect(trace.submit(1).begun == [1])
        #expect(trace.submit(2).begun == [])
        #expect(trace.send(.nodeUp(1)).begun == [2])
        #expect(trace.send(.nodeLost(0)) == [])
        #expect(trace.dies(1) == [])  // back in the queue, though no restart is allowed
        #expect(trace.explain(1) == "ready, waits for 1 core on one node: none of 1 node has that free")
        #expect(trace.send(.nodeUp(0)).begun == [1])
    }

    @Test func aNodeWhoseTimeIsOverIsChargedToTheCallThatRanThere() {
        let mode = WorkerMode.warm(count: 1, request: ResourceRequest())
        var trace = trace([Node(name: "a", coreCount: 1, isUp: false)], mode: mode)
        #expect(trace.start() == [])
        #expect(trace.submit(1).begun == [])
        #expect(trace.explain(1) == "ready, waits for a worker: none of 1 is there yet")
        #expect(placements(trace.send(.nodeUp(0))).count == 1)
        #expect(trace.send(.workerReady(WorkerID(1))).begun == [1])
        #expect(trace.send(.nodeLost(0, timeIsOver: true)) == [])
        #expect(trace.submit(2).begun == [])
        let over = ProcessEnd.failed("its time is over")
        #expect(trace.dies(1, over).contains(.ended(TaskID(1), .lost(reasons: [over]), tellClient: true)))
        // Another job brings the node back: what has not begun runs there.
        #expect(placements(trace.send(.nodeUp(0))).count == 1)
        #expect(trace.send(.workerReady(WorkerID(2))).begun == [2])
    }

    @Test func aPoolThatIsGivenUpRefusesWhatComes() {
        let mode = WorkerMode.warm(count: 1, request: ResourceRequest())
        var trace = trace([Node(name: "a", coreCount: 1, isUp: false)], mode: mode)
        _ = trace.start()
        _ = trace.submit(1)
        let refused = SchedulerAction.ended(TaskID(1), .refused("no such partition"), tellClient: true)
        #expect(trace.send(.poolGivenUp("no such partition")).contains(refused))
        #expect(trace.submit(2).contains(.ended(TaskID(2), .refused("no such partition"), tellClient: true)))
    }

    @Test func aGroupThatLostANodeIsEnded() {
        var trace = trace((1...2).map { Node(name: "n\($0)", coreCount: 1) })
        trace.define(2, ResourceRequest(cores: 2, nodes: 2))
        _ = trace.submit(1, request: 2)
        #expect(trace.send(.nodeLost(0)) == [.endWorker(WorkerID(1), politely: false)])
        #expect(trace.dies(1) == [])
        #expect(trace.send(.nodeUp(0)).begun == [1])
    }

    @Test func warmWorkersHoldSlotsAndWaitForThem() {
        let mode = WorkerMode.warm(count: 3, request: ResourceRequest(gpusPerCore: 1))
        var trace = trace([Node(name: "a", coreCount: nil, gpus: ["0", "1"])], mode: mode)
        #expect(placements(trace.start()).map { $0[0].gpus } == [["0"], ["1"]])
        #expect(placements(trace.dies(1)).map { $0[0].gpus } == [["0"]])
        var hopeless = self.trace([Node(name: "a", coreCount: nil)], mode: mode)
        _ = hopeless.start()
        hopeless.define(1, ResourceRequest(gpusPerCore: 1))
        let refused = hopeless.send(.submit(TaskID(1), request: RequestID(1), inputs: []))
        #expect(refused == over(1, .refused("it asks for 1 times 1 GPUs, there are 0")))
    }

    @Test func aWorkerThatLeavesIsGivenNothingMore() {
        var trace = Trace.warm(1)
        #expect(trace.submit(1).begun == [1])
        #expect(trace.send(.workerLeaves(WorkerID(1))) == [])
        #expect(trace.submit(2).begun == [])
        #expect(trace.ends(1, on: 1, failed: true) == over(1, .error))
        #expect(trace.dies(1, .exited(status: 1)) == [starts(2)])
        #expect(trace.send(.workerReady(WorkerID(2))).begun == [2])
    }

    @Test func aBigGroupIsNotStarvedBySmallCallsOnOtherNodes() {
        var trace = trace((1...2).map { Node(name: "n\($0)", coreCount: 2) }, cores: 4)
        trace.define(2, ResourceRequest(cores: 2))
        for id in 1...4 as ClosedRange<UInt64> { _ = trace.submit(id) }
        _ = trace.submit(5, request: 2)
        var running: [UInt32] = [1, 2, 3, 4]
        var (next, worker): (UInt64, UInt32) = (6, 4)
        for _ in 0..<100 {
            _ = trace.submit(next)
            next += 1
            let actions = trace.dies(running.removeFirst(), .exited(status: 0))
            for task in actions.begun {
                worker += 1
                running.append(worker)
                guard task != 5 else { return }
            }
        }
        #expect(Bool(false), "task 5 was starved")
    }
}
