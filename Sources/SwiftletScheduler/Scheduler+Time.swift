// SPDX-License-Identifier: BSD-3-Clause
import SwiftletModel

// Everything that happens because time passes.
extension Scheduler {
    mutating func timePassed(at now: Instant, into actions: inout [SchedulerAction]) {
        armedWake = nil
        while let worker = clock.popDue(at: now) { workerDue(worker, into: &actions) }
        if let due = watch, due <= now {
            watch = nil
            recallStuckCalls(at: now, into: &actions)
        }
    }

    /// Asks for the next wake where the one that is set comes too late. One that comes too early does no harm.
    mutating func armWake(at now: Instant, into actions: inout [SchedulerAction]) {
        setWatch(at: now)
        guard let next = clock.earliest.map({ min($0, watch ?? $0) }) ?? watch else { return }
        if let armed = armedWake, armed <= next { return }
        armedWake = next
        actions.append(.wake(at: next))
    }

    private mutating func workerDue(_ worker: Place, into actions: inout [SchedulerAction]) {
        switch (workers[worker].state, mode) {
        case (.gone, _): break
        case (.delayed, .fresh): freshWorkerDue(worker)
        case (.delayed, .warm): warmWorkerDue(worker, into: &actions)
        case (.starting, _), (.ready, _), (.ending, _):
            guard let call = workers[worker].calls.first else { return }
            if call.task.isSomewhere { end(call.task, .timeLimit, into: &actions) }
            stop(worker, politely: false, into: &actions)
        }
    }
}
