// SPDX-License-Identifier: BSD-3-Clause
import SwiftletModel
import Testing

@testable import SwiftletScheduler

@Suite struct PlaceTableTests {
    @Test(arguments: [1, 1 << 40, 0x9e37_79b9] as [UInt64])
    func itAgreesWithADictionary(stride: UInt64) {
        var generator = SeededGenerator(state: stride)
        var table = PlaceTable()
        var model: [UInt64: Place] = [:]
        for step in 0..<20_000 as Range<UInt32> {
            let key = UInt64.random(in: 0..<300, using: &generator) &* stride
            if Bool.random(using: &generator) {
                table.set(key, to: Place(rawValue: step))
                model[key] = Place(rawValue: step)
            } else {
                #expect(table.remove(key) == model.removeValue(forKey: key))
            }
            #expect(table.count == model.count)
        }
        for key in 0..<300 as Range<UInt64> { #expect(table[key &* stride] == model[key &* stride]) }
    }
}

@Suite struct ReadyQueueTests {
    @Test func theOldestComesFirstWhateverTheOrderOfArrival() {
        var generator = SeededGenerator(state: 7)
        var (queue, tasks) = (ReadyQueue(), Slab<TaskRecord>())
        var model: [UInt64: Place] = [:]
        for id in (1...2_000 as ClosedRange<UInt64>).shuffled(using: &generator) {
            let place = tasks.insert(TaskRecord(.init(id), requestClass: 0, state: .ready))
            queue.push(place, in: &tasks)
            model[id] = place
            let removed = UInt64.random(in: 1...2_000, using: &generator)
            if let place = model.removeValue(forKey: removed) {
                queue.remove(place, in: &tasks)
                tasks[place].state = .cancelled
                tasks.remove(place)
            }
            #expect(queue.head == model.keys.min() ?? .max)
            #expect(queue.count == model.count)
        }
        for id in model.keys.sorted() { #expect(queue.popHead(in: &tasks) == model[id]) }
    }
}

@Suite struct WorkerClockTests {
    @Test func theEarliestTimeComesFirstAndClearedOnesLeaveNothing() {
        var generator = SeededGenerator(state: 9)
        var clock = WorkerClock()
        var model: [Place: UInt64] = [:]
        for _ in 0..<5_000 {
            let worker = Place(rawValue: UInt32.random(in: 0..<50, using: &generator))
            if Bool.random(using: &generator) {
                let due = UInt64.random(in: 0..<1_000, using: &generator)
                clock.set(worker, to: .init(nanoseconds: due))
                model[worker] = due
            } else {
                clock.clear(worker)
                model[worker] = nil
            }
            #expect(clock.earliest?.nanoseconds == model.values.min())
        }
        while let worker = clock.popDue(at: .init(nanoseconds: 1_000)) {
            #expect(model.values.min() == model.removeValue(forKey: worker))
        }
        #expect(model.isEmpty)
    }
}
