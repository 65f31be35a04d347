// SPDX-License-Identifier: BSD-3-Clause
import SwiftletModel
import SwiftletScheduler
import Testing

/// Thousands of tasks, deaths and cancels at random; `SimulatedWorld` watches that the rules hold.
@Suite struct SimulationTests {
    @Test(arguments: 1...5 as ClosedRange<UInt64>)
    func freshCallsUnderFire(seed: UInt64) {
        let capacity = Capacity(cores: 8, workers: 6)
        let world = SimulatedWorld(mode: .fresh, capacity: capacity, restartLimit: 1, seed: seed)
        let requests = [
            ResourceRequest(), ResourceRequest(cores: 3, restartLimit: 0),
            ResourceRequest(cores: 8, priority: 1),
            ResourceRequest(cores: 2, threadsPerCore: 2, timeLimit: 3_000_000),
        ]
        live(world, requests: requests, deathRate: 0.05)
    }

    @Test(arguments: 1...5 as ClosedRange<UInt64>)
    func warmWorkersUnderFire(seed: UInt64) {
        let mode = WorkerMode.warm(count: 5, request: ResourceRequest())
        let world = SimulatedWorld(mode: mode, capacity: Capacity(), restartLimit: 2, seed: seed)
        let requests = [
            ResourceRequest(), ResourceRequest(priority: 2), ResourceRequest(timeLimit: 2_000_000),
            ResourceRequest(restartLimit: 0),
        ]
        live(world, requests: requests, deathRate: 0.005)
    }

    /// Three unlike nodes that go down and come up again, and every kind of request.
    @Test(arguments: 1...6 as ClosedRange<UInt64>)
    func slotsOnNodesThatComeAndGo(seed: UInt64) {
        let nodes = [
            Node(name: "owned", domains: [[0, 1, 2, 3], [4, 5, 6, 7]], gpus: ["a", "b"], memory: 100),
            Node(name: "counted", coreCount: 6, gpus: ["0"], memory: 64), Node(name: "plain", coreCount: 4),
        ]
        let capacity = Capacity(
            cores: seed.isMultiple(of: 2) ? 12 : nil, workers: seed.isMultiple(of: 3) ? 5 : nil,
            inventory: Inventory(nodes: nodes, groupsSpanNodes: true))
        let world = SimulatedWorld(mode: .fresh, capacity: capacity, restartLimit: 1, seed: seed)
        let requests = [
            ResourceRequest(), ResourceRequest(cores: 2, threadsPerCore: 2, memory: 40), ResourceRequest(gpusPerCore: 1),
            ResourceRequest(cores: 6, priority: 1), ResourceRequest(cores: 3, nodes: 2), ResourceRequest(cores: 10),
            ResourceRequest(memory: 60, isExclusive: true), ResourceRequest(cores: 2, gpusPerCore: 1, restartLimit: 0),
        ]
        live(world, requests: requests, deathRate: 0.02, nodesComeAndGo: true)
    }

    private func live(_ start: SimulatedWorld, requests: [ResourceRequest], deathRate: Double, nodesComeAndGo: Bool = false) {
        var world = start
        for (index, request) in requests.enumerated() { world.send(.define(RequestID(UInt32(index + 1)), request)) }
        let total: UInt64 = 2_000
        for number in 1...total {
            world.submit(number, requests: requests.count)
            for _ in 0..<Int.random(in: 0...5, using: &world.generator) {
                // Back-off and deadlines take long compared to a step: now and then time leaps to them.
                if !world.stepProcess(deathRate: deathRate) || world.chance(0.02) { _ = world.passTimeToWake() }
                world.passTime(upTo: 10_000)
            }
            if nodesComeAndGo, world.chance(0.01) { world.toggleNode() }
            if !world.isWarm, world.chance(0.01) { world.expectNothingWaitsThatFits() }
            let other = TaskID(UInt64.random(in: 1...number, using: &world.generator))
            if world.chance(0.1) {
                let recent = UInt64.random(in: max(number, 11) - 10...number, using: &world.generator)
                world.send(.cancel(TaskID(recent), onlyIfNotStarted: world.chance(0.5)))
            }
            if world.chance(0.5) { world.release(other) }
            if world.isWarm, world.chance(0.01) {
                world.send(.resize(Int.random(in: 1...8, using: &world.generator)))
            }
        }
        for node in world.capacity.inventory.nodes.indices where !world.slots.isUp(node) {
            world.slots.set(node, isUp: true)
            world.send(.nodeUp(node))
        }
        world.send(.shutdown(cancelWaiting: world.chance(0.3)))
        var steps = 0
        while world.finished == 0, steps < 200_000 {
            steps += 1
            if !world.stepProcess(deathRate: 0), !world.passTimeToWake() { break }
            world.passTime(upTo: 10_000)
        }
        #expect(world.finished == 1)
        #expect(world.outcomes.count == Int(total))
        #expect(world.argumentsDropped == world.submitted)
        for id in world.submitted.sorted(by: { $0.rawValue < $1.rawValue }) { world.release(id) }
        let withPayload = world.outcomes.filter { $0.value == .value || $0.value == .error }
        #expect(world.valuesDropped == Set(world.outcomes.filter { leavesSomething($0.value) }.keys))
        #expect(world.outcomes.values.contains(.cancelled(origin: nil)))
        #expect(!world.isWarm || world.recalls > 0)
        #expect(withPayload.count > 100)  // the world is not so broken that nothing is tested
        #expect(world.outcomes.values.contains { if case .lost = $0 { true } else { false } })
        #expect(world.outcomes.values.contains { if case .inputFailed = $0 { true } else { false } })
    }
}
