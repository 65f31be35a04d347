// SPDX-License-Identifier: BSD-3-Clause
import SwiftletModel
import SwiftletScheduler
import Testing

/// SplitMix64: the same numbers on every machine.
struct SeededGenerator: RandomNumberGenerator {
    var state: UInt64
    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var z = state
        z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
        z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
        return z ^ (z >> 31)
    }
}

/// Processes that behave as real ones: they run calls in order, answer late, die, and are killed. It watches the rules
/// that must hold whatever happens, and is driven at random by the tests.
struct SimulatedWorld {
    struct Process {
        var calls: [TaskID] = []
        var recalls: Set<TaskID> = []
        var isStarting = true
        var hasFinished = false
        var isEnding = false
        var isKilled = false
        var cores: Int
        var slot: Slot
        /// Its node went down: it answers nothing any more.
        var isLost = false
    }

    var scheduler: Scheduler
    let isWarm: Bool
    let capacity: Capacity
    var generator: SeededGenerator
    var now: UInt64 = 1
    var wake: UInt64?

    var slots: SlotWatch
    var requests: [RequestID: ResourceRequest] = [:]
    var requestOf: [TaskID: RequestID] = [:]

    var processes: [WorkerID: Process] = [:]
    var submitted: Set<TaskID> = []
    var outcomes: [TaskID: Outcome] = [:]
    var inputs: [TaskID: [TaskID]] = [:]
    var released: Set<TaskID> = []
    var argumentsDropped: Set<TaskID> = []
    var valuesDropped: Set<TaskID> = []
    var finished = 0
    var recalls = 0

    init(mode: WorkerMode, capacity: Capacity, restartLimit: Int, seed: UInt64) {
        scheduler = Scheduler(mode: mode, capacity: capacity, restartLimit: restartLimit)
        if case .warm = mode { isWarm = true } else { isWarm = false }
        self.capacity = capacity
        slots = SlotWatch(capacity)
        generator = SeededGenerator(state: seed)
        var actions: [SchedulerAction] = []
        scheduler.start(at: Instant(nanoseconds: now), into: &actions)
        run(actions)
    }

    mutating func send(_ event: SchedulerEvent) {
        if case .define(let id, let request) = event { requests[id] = request }
        var actions: [SchedulerAction] = []
        scheduler.handle(event, at: Instant(nanoseconds: now), into: &actions)
        run(actions)
    }

    mutating func chance(_ probability: Double) -> Bool { Double.random(in: 0..<1, using: &generator) < probability }

    private mutating func run(_ actions: [SchedulerAction]) {
        for action in actions { run(action) }
        if let most = capacity.cores { #expect(processes.values.reduce(0) { $0 + $1.cores } <= most) }
        if let most = capacity.workers { #expect(processes.count <= most) }
        expectNoIdleWorkers()
    }

    /// Nothing is queued while a worker that could run it has nothing to do.
    private func expectNoIdleWorkers() {
        let queued = processes.values.reduce(scheduler.counts.ready) { ready, process in
            let notBegun = process.isKilled ? process.calls[...] : process.calls.dropFirst()
            return ready - notBegun.count { outcomes[$0] == nil }
        }
        guard queued > 0 else { return }
        guard isWarm else { return }
        #expect(!processes.values.contains { $0.calls.isEmpty && !$0.isStarting && !$0.isEnding })
    }

    /// No task waits for a slot that could be had, except behind one that was overtaken too often.
    func expectNothingWaitsThatFits() {
        let coresUsed = processes.values.reduce(0) { $0 + $1.cores }
        let texts = submitted.filter { outcomes[$0] == nil }.map { ($0, scheduler.explain($0, at: Instant(nanoseconds: now))) }
        // Those keep their slot until the next try.
        guard !texts.contains(where: { $0.1.hasPrefix("its worker could not be started") }) else { return }
        for (id, text) in texts where text.hasPrefix("ready, ") {
            guard let number = requestOf[id], let request = requests[number] else { continue }
            guard slots.wouldFit(request, coresUsed: coresUsed, workersUsed: processes.count) else { continue }
            #expect(
                text.hasPrefix("ready, waits for a larger task that has been overtaken"), "\(id) would fit, but it is \(text)")
        }
    }

    /// A node goes down with all that runs there, or comes up.
    mutating func toggleNode() {
        let node = Int.random(in: capacity.inventory.nodes.indices, using: &generator)
        let isUp = !slots.isUp(node)
        slots.set(node, isUp: isUp)
        send(isUp ? .nodeUp(node) : .nodeLost(node))
        guard !isUp else { return }
        for (id, process) in processes where process.slot.placements.contains(where: { $0.node == node }) {
            processes[id]?.isLost = true
        }
    }

    private mutating func run(_ action: SchedulerAction) {
        switch action {
        case .startWorker(let id, _, let request, let slot):
            #expect(processes[id] == nil, "\(id) was started twice")
            slots.handedOut(slot, for: request)
            processes[id] = Process(isStarting: isWarm, cores: request.occupiedCores, slot: slot)
        case .assign(let task, let worker, _):
            #expect(outcomes[task] == nil, "\(task) was assigned after its end")
            #expect(!processes.values.contains { $0.calls.contains(task) }, "\(task) was given twice")
            #expect(processes[worker]?.isEnding == false, "\(task) was given to \(worker), which is ending")
            #expect(processes[worker]?.isStarting == false)
            processes[worker]?.calls.append(task)
            for input in inputs[task] ?? [] {
                #expect(outcomes[input] == .value)
                #expect(!valuesDropped.contains(input), "\(input) was dropped before \(task), which needs it")
            }
        case .begun(let task, let worker, _):
            #expect(processes[worker]?.calls.first == task, "\(task) began while another call runs on \(worker)")
        case .recall(let task, let worker):
            recalls += 1
            processes[worker]?.recalls.insert(task)
        case .endWorker(let id, let politely):
            processes[id]?.isEnding = true
            if !politely { processes[id]?.isKilled = true }
        case .ended(let task, let outcome, _):
            #expect(outcomes.updateValue(outcome, forKey: task) == nil, "\(task) ended twice")
        case .dropArguments(let task):
            #expect(outcomes[task] != nil)
            #expect(argumentsDropped.insert(task).inserted, "arguments of \(task) were dropped twice")
        case .dropValue(let task):
            #expect(outcomes[task].map(leavesSomething) == true)
            #expect(released.contains(task))
            #expect(valuesDropped.insert(task).inserted, "the value of \(task) was dropped twice")
        case .wake(let time): wake = time.nanoseconds
        case .finished:
            finished += 1
            #expect(processes.isEmpty)
        }
    }
}

// What processes and time do next.
extension SimulatedWorld {
    /// One process, chosen at random, does what it does next. Returns false where there is none.
    mutating func stepProcess(deathRate: Double) -> Bool {
        let ids = processes.keys.sorted { $0.rawValue < $1.rawValue }
        guard let id = ids.randomElement(using: &generator), let process = processes[id] else { return false }
        if process.isLost { return exit(id, .failed("its node was lost")) }
        if process.isKilled || chance(deathRate) {
            let couldNotStart = !isWarm && !process.hasFinished && chance(0.1)
            return exit(id, process.isKilled ? .signalled(15) : couldNotStart ? .failed("no memory") : .signalled(9))
        }
        if process.isStarting {
            if process.isEnding { return exit(id, .exited(status: 0)) }
            processes[id]?.isStarting = false
            send(.workerReady(id))
        } else if process.hasFinished && !isWarm {
            return exit(id, .exited(status: 0))
        } else if let task = process.calls.first {
            if chance(0.3) { return true }  // still at work
            processes[id]?.calls.removeFirst()
            processes[id]?.hasFinished = true
            send(.taskEnded(task, id, failed: chance(0.05)))
            answerRecalls(of: id)
        } else if process.isEnding {
            return exit(id, .exited(status: 0))
        }
        return true
    }

    /// Between two calls a worker gives back what it was asked for; now and then the question comes too late.
    private mutating func answerRecalls(of id: WorkerID) {
        for task in processes[id]?.calls ?? [] where processes[id]?.recalls.contains(task) == true {
            if processes[id]?.calls.first == task, chance(0.3) { continue }
            processes[id]?.calls.removeAll { $0 == task }
            send(.recalled(task, id))
        }
    }

    private mutating func exit(_ id: WorkerID, _ end: ProcessEnd) -> Bool {
        if let slot = processes.removeValue(forKey: id)?.slot { slots.cameBack(slot) }
        send(.workerEnded(id, end))
        return true
    }

    mutating func passTime(upTo nanoseconds: UInt64) {
        now += UInt64.random(in: 0...nanoseconds, using: &generator)
        guard let due = wake, due <= now else { return }
        wake = nil
        send(.timePassed)
    }

    /// Time goes on to the wake that was asked for.
    mutating func passTimeToWake() -> Bool {
        guard let due = wake else { return false }
        now = max(now, due)
        wake = nil
        send(.timePassed)
        return true
    }

    /// A new task, now and then with inputs among the latest ones.
    mutating func submit(_ number: UInt64, requests: Int) {
        let id = TaskID(number)
        if number > 3, chance(0.3) {
            for _ in 0..<Int.random(in: 1...3, using: &generator) {
                let input = TaskID(UInt64.random(in: (number > 40 ? number - 40 : 1)..<number, using: &generator))
                if !released.contains(input) { inputs[id, default: []].append(input) }
            }
        }
        submitted.insert(id)
        let request = RequestID(UInt32.random(in: 1...UInt32(requests), using: &generator))
        requestOf[id] = request
        send(.submit(id, request: request, inputs: inputs[id] ?? []))
    }

    mutating func release(_ id: TaskID) {
        guard outcomes[id] != nil, released.insert(id).inserted else { return }
        send(.release(id))
    }
}

/// Whether dependants may ask for a task's value, or why it has none.
func leavesSomething(_ outcome: Outcome) -> Bool {
    switch outcome {
    case .value, .error, .lost, .timeLimit, .refused: true
    case .cancelled, .inputFailed: false
    }
}
