// SPDX-License-Identifier: BSD-3-Clause
import SwiftletLaunch
import SwiftletModel
import Testing

/// Leases of an instance with two nodes of four cores, and a clock that only tests move.
private struct Table {
    var leases = FluxLeases(coreCount: 8, coresPerNode: 4, gpusPerNode: 2)
    var now: UInt64 = 1_000_000_000

    static let one = FluxLeases.Shape(cores: 1, gpus: 0)

    mutating func settle(_ change: (inout FluxLeases, Instant, inout [FluxLeases.Action]) -> Void = { _, _, _ in })
        -> [FluxLeases.Action]
    {
        var actions: [FluxLeases.Action] = []
        change(&leases, Instant(nanoseconds: now), &actions)
        leases.settle(at: Instant(nanoseconds: now), into: &actions)
        return actions.filter { if case .wake = $0 { false } else { true } }
    }

    mutating func want(_ workers: ClosedRange<UInt32>, _ shape: FluxLeases.Shape = one) -> [FluxLeases.Action] {
        settle { leases, _, _ in for worker in workers { leases.want(WorkerID(worker), shape) } }
    }

    mutating func up(_ lease: UInt32) -> [FluxLeases.Action] { settle { leases, now, _ in leases.isUp(LeaseID(lease), at: now) } }

    mutating func free(_ workers: UInt32...) -> [FluxLeases.Action] {
        settle { leases, now, _ in for worker in workers { leases.freed(WorkerID(worker), at: now) } }
    }
}

private func start(_ worker: UInt32, on lease: UInt32, place: Int) -> FluxLeases.Action {
    .start(WorkerID(worker), LeaseID(lease), place: place)
}

@Suite struct LeaseTests {
    @Test func aBurstGetsFewLeasesOfNodeSize() {
        var table = Table()
        #expect(table.want(1...6) == [.submit(LeaseID(1), Table.one, places: 4), .submit(LeaseID(2), Table.one, places: 2)])
        #expect(table.settle().isEmpty)  // asked for once
        #expect(table.up(2) == [start(1, on: 2, place: 0), start(2, on: 2, place: 1)])
        #expect(table.up(1) == (0..<4).map { start(UInt32($0 + 3), on: 1, place: $0) })
    }

    @Test func aLeaseServesCallAfterCallAndGoesBackWhenIdle() {
        var table = Table()
        #expect(table.want(1...1) == [.submit(LeaseID(1), Table.one, places: 1)])
        #expect(table.up(1) == [start(1, on: 1, place: 0)])
        #expect(table.free(1).isEmpty)
        #expect(table.want(2...2) == [start(2, on: 1, place: 0)])
        #expect(table.free(2).isEmpty)
        table.now += FluxLeases.idleTime - 1
        #expect(table.settle().isEmpty)
        table.now += 1
        #expect(table.settle() == [.end(LeaseID(1))])
        #expect(table.leases.isEmpty)
    }

    @Test func whatNobodyWantsAnyMoreIsNotWaitedFor() {
        var table = Table()
        _ = table.want(1...1)
        let actions = table.settle { leases, _, _ in
            let wasWaiting = leases.unwant(WorkerID(1))
            #expect(wasWaiting)
        }
        #expect(actions == [.end(LeaseID(1))])
    }

    @Test func aLeaseThatWaitsIsAskedForInHalves() {
        var table = Table()
        _ = table.want(1...3)
        table.now += FluxLeases.patience
        #expect(
            table.settle() == [
                .end(LeaseID(1)), .submit(LeaseID(2), Table.one, places: 2), .submit(LeaseID(3), Table.one, places: 1),
            ])
    }

    @Test func aRefusalIsForAllWhoWaitForTheSame() {
        var table = Table()
        let large = FluxLeases.Shape(cores: 16, gpus: 0)
        _ = table.want(1...2, large)
        _ = table.want(3...3)
        let actions = table.settle { leases, _, actions in
            leases.ended(LeaseID(1), refusal: "unsatisfiable", into: &actions)
        }
        #expect(
            actions == [
                .refuse(WorkerID(1), reason: "unsatisfiable"), .refuse(WorkerID(2), reason: "unsatisfiable"),
                .end(LeaseID(2)),
            ])
    }

    @Test func aLeaseThatIsLostIsAskedForAgain() {
        var table = Table()
        _ = table.want(1...1)
        let actions = table.settle { leases, _, actions in leases.ended(LeaseID(1), refusal: nil, into: &actions) }
        #expect(actions == [.submit(LeaseID(2), Table.one, places: 1)])
    }

    @Test func leasesMakeRoomForAJobThatWaits() {
        var table = Table()
        _ = table.want(1...8)
        _ = table.up(1)
        _ = table.up(2)
        #expect(table.free(1, 2, 3, 5).isEmpty)  // lease 1 has one worker left, lease 2 three
        // A job of four cores waits: the emptier lease closes and takes nobody any more.
        #expect(table.settle { leases, _, _ in leases.setJobs(pendingCores: 4, startedCores: 0) }.isEmpty)
        #expect(table.want(9...9) == [start(9, on: 2, place: 0)])
        #expect(table.free(4) == [.end(LeaseID(1))])
        // The job runs; what comes now waits for cores of its own.
        #expect(table.settle { leases, _, _ in leases.setJobs(pendingCores: 0, startedCores: 4) }.isEmpty)
        #expect(table.want(10...10) == [.submit(LeaseID(3), Table.one, places: 1)])
    }

    @Test func aJobThatHasRoomClosesNothing() {
        var table = Table()
        _ = table.want(1...2)
        _ = table.up(1)
        #expect(table.settle { leases, _, _ in leases.setJobs(pendingCores: 6, startedCores: 0) }.isEmpty)
        #expect(table.free(1).isEmpty)
        #expect(table.want(3...3) == [start(3, on: 1, place: 0)])
    }

    @Test func anIdleLeaseOfAnotherShapeGoesAtOnce() {
        var table = Table()
        _ = table.want(1...1)
        _ = table.up(1)
        _ = table.free(1)
        let wide = FluxLeases.Shape(cores: 4, gpus: 0)
        #expect(table.want(2...2, wide) == [.end(LeaseID(1)), .submit(LeaseID(2), wide, places: 1)])
    }

    @Test func aLeaseHasNoMorePlacesThanItsNodeHasGPUs() {
        var table = Table()
        let one = FluxLeases.Shape(cores: 1, gpus: 1), three = FluxLeases.Shape(cores: 1, gpus: 3)
        #expect(table.want(1...3, one) == [.submit(LeaseID(1), one, places: 2), .submit(LeaseID(2), one, places: 1)])
        // What no node has Flux is to refuse.
        #expect(table.want(4...4, three) == [.submit(LeaseID(3), three, places: 1)])
    }

    /// Whatever happens, every worker is started exactly once, on a place of its own, and everything goes back in the end.
    @Test(arguments: 1...10) func nobodyIsForgotten(seed: UInt64) {
        var random = Generator(state: seed)
        var table = Table()
        var next: UInt32 = 1
        var running: Set<UInt32> = []
        var pending: Set<UInt32> = [], up: Set<UInt32> = []
        var places: [UInt32: Set<Int>] = [:], placeOf: [UInt32: (UInt32, Int)] = [:]
        func carryOut(_ actions: [FluxLeases.Action]) {
            for action in actions {
                switch action {
                case .submit(let lease, _, _): pending.insert(lease.rawValue)
                case .end(let lease):
                    #expect(places[lease.rawValue, default: []].isEmpty, "a lease with workers was given back")
                    pending.remove(lease.rawValue)
                    up.remove(lease.rawValue)
                case .start(let worker, let lease, let place):
                    #expect(up.contains(lease.rawValue) && running.insert(worker.rawValue).inserted)
                    #expect(places[lease.rawValue, default: []].insert(place).inserted, "a place was given twice")
                    placeOf[worker.rawValue] = (lease.rawValue, place)
                case .refuse, .wake: Issue.record("nothing was refused")
                }
            }
        }
        var started = 0
        for step in 0..<200 {
            table.now += random.next() % 300_000_000
            switch random.next() % 4 {
            case 0 where step < 150:
                let count = UInt32(random.next() % 5)
                carryOut(table.want(next...(next + count), random.next() % 3 == 0 ? .init(cores: 2, gpus: 0) : Table.one))
                next += count + 1
            case 1:
                if let lease = pending.min() {
                    pending.remove(lease)
                    up.insert(lease)
                    carryOut(table.up(lease))
                }
            case 2:
                if let worker = running.randomElement(using: &random) {
                    running.remove(worker)
                    started += 1
                    let (lease, place) = placeOf[worker]!
                    places[lease]!.remove(place)
                    carryOut(table.free(worker))
                }
            default:
                let cores = Int(random.next() % 3) * 2
                carryOut(table.settle { leases, _, _ in leases.setJobs(pendingCores: cores, startedCores: 0) })
            }
        }
        carryOut(table.settle { leases, _, _ in leases.setJobs(pendingCores: 0, startedCores: 0) })
        while started < Int(next) - 1 {
            let before = started
            while let lease = pending.min() {
                pending.remove(lease)
                up.insert(lease)
                carryOut(table.up(lease))
            }
            while let worker = running.min() {
                running.remove(worker)
                started += 1
                let (lease, place) = placeOf[worker]!
                places[lease]!.remove(place)
                carryOut(table.free(worker))
            }
            table.now += FluxLeases.idleTime
            carryOut(table.settle())
            guard started > before || !pending.isEmpty else { break }
        }
        #expect(started == Int(next) - 1)
        table.now += FluxLeases.idleTime
        carryOut(table.settle())
        #expect(table.leases.isEmpty)
    }

    private struct Generator: RandomNumberGenerator {
        var state: UInt64
        mutating func next() -> UInt64 {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return state >> 16
        }
    }
}
