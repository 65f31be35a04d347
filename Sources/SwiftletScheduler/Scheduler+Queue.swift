// SPDX-License-Identifier: BSD-3-Clause
import SwiftletModel

// Requests, and the queues of ready tasks.
extension Scheduler {
    mutating func define(_ id: RequestID, _ request: ResourceRequest) {
        if let known = classesByRequest[request] {
            classesByID.set(UInt64(id.rawValue), to: Place(rawValue: UInt32(known)))
            return
        }
        let refusal = request.refusal(mode: mode, capacity: capacity)
        let shape = refusal == nil ? request.shape(in: capacity.inventory) : Shape(ResourceRequest())
        let index = Int32(classes.count)
        classes.append(RequestClass(request: request, refusal: refusal, shape: shape))
        classesByRequest[request] = index
        classesByID.set(UInt64(id.rawValue), to: Place(rawValue: UInt32(index)))
    }

    func request(of place: Place) -> ResourceRequest { classes[Int(tasks[place].requestClass)].request }

    /// Puts a task into the queue of its class; it counts as ready from now on.
    mutating func enqueue(_ place: Place) {
        tasks[place].state = .ready
        tally.ready += 1
        let index = Int(tasks[place].requestClass)
        classes[index].queue.push(place, in: &tasks)
        if classes[index].activePosition < 0 {
            classes[index].activePosition = active.count
            active.append(index)
        }
    }

    /// Takes a ready task out of its queue.
    mutating func dequeue(_ place: Place) {
        let index = Int(tasks[place].requestClass)
        classes[index].queue.remove(place, in: &tasks)
        tally.ready -= 1
        deactivateIfEmpty(index)
    }

    /// Takes the oldest ready task of a class. The caller says what it is now.
    mutating func dequeueHead(ofClass index: Int) -> Place {
        let place = classes[index].queue.popHead(in: &tasks)
        tally.ready -= 1
        deactivateIfEmpty(index)
        return place
    }

    private mutating func deactivateIfEmpty(_ index: Int) {
        guard classes[index].queue.count == 0 else { return }
        let position = classes[index].activePosition
        classes[index].activePosition = -1
        let last = active.removeLast()
        if last != index {
            active[position] = last
            classes[last].activePosition = position
        }
    }

    /// The class whose head is the next to run: the highest priority, then the oldest task.
    func nextClass() -> Int? {
        guard active.count > 1 else { return active.first }
        var best: Int?
        for index in active {
            if let other = best, !classes[index].precedes(classes[other]) { continue }
            best = index
        }
        return best
    }
}
