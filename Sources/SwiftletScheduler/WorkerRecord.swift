// SPDX-License-Identifier: BSD-3-Clause
import SwiftletModel

enum WorkerState: UInt8 {
    /// The place is free.
    case gone
    /// No process: it will be started when its time comes (back-off).
    case delayed
    case starting
    case ready
    /// We asked it to end.
    case ending
}

/// A call that a worker has.
struct HeldCall {
    let id: TaskID
    /// `nowhere` once the task has ended for the client (cancelled, time limit): what the worker says is dropped.
    var task: Place
    /// It waits behind another call, and was not asked back.
    var waitsBehind: Bool
}

/// What the scheduler knows of a worker.
struct WorkerRecord {
    var id: WorkerID
    /// Its place in the pool of warm workers.
    var index: Int
    var state: WorkerState
    /// We ended it by force: its death is nobody's fault.
    var isKilled = false
    /// What it holds until it is gone.
    var slot = Slot()
    /// What that counts against the executor's limit of cores.
    var countedCores = 0
    /// The list it stands in, and its neighbours there.
    var list = WorkerList.Kind.none
    var next = Place.nowhere
    var previous = Place.nowhere
    /// What it works on (first), and what it has been given ahead.
    var calls: [HeldCall] = []
    /// When the first call began.
    var begun = Instant(nanoseconds: 0)
    /// Moving average of how long its calls take, in nanoseconds.
    var average = Double.infinity
    /// How long the word of a short call's end is under way at the most, in nanoseconds: over a network, or on a busy machine, much
    /// longer than the call takes.
    var delay: UInt64 = 0
    /// What it has been given ahead can be had back while a call runs.
    var takesAhead = true

    init(id: WorkerID, index: Int, state: WorkerState) {
        self.id = id
        self.index = index
        self.state = state
    }

    /// How long the first call has been running.
    func running(at now: Instant) -> UInt64 {
        now > begun ? now.nanoseconds - begun.nanoseconds : 0
    }

    /// Its first call has ended.
    mutating func callEnded(isShort: Bool, at now: Instant) {
        let seen = running(at: now)
        if isShort { delay = max(seen, delay - delay / 64) }
        let length = isShort ? min(Double(seen), Patience.shortCall / 2) : Double(seen)
        average = average == .infinity ? length : average + (length - average) / 8
    }

    /// How many calls it may be given ahead: enough to be busy while the word of an end is under way.
    var prefetchDepth: Int {
        guard takesAhead, average < Patience.shortCall else { return 0 }
        let limits = Patience.prefetchDepth
        let own = Int(min(max(Patience.prefetchedWork / average, Double(limits.lowerBound)), Double(limits.upperBound)))
        return own + Int(min(delay / Patience.delayPerCall, Patience.furtherDepth))
    }

    /// How long its first call may seem to run with others waiting behind it.
    var patience: UInt64 { max(Patience.behindCall, min(2 * delay, Patience.longestDelay)) }
}

/// A list of workers that runs through their records.
struct WorkerList {
    enum Kind: UInt8 {
        case none
        /// Ready, with nothing to do.
        case idle
        /// Busy with short calls, and may be given another one ahead.
        case open
    }

    let kind: Kind
    private(set) var first = Place.nowhere
    private var last = Place.nowhere

    init(_ kind: Kind) { self.kind = kind }

    mutating func append(_ worker: Place, in workers: inout Slab<WorkerRecord>) {
        workers[worker].list = kind
        workers[worker].next = .nowhere
        workers[worker].previous = last
        if last.isSomewhere { workers[last].next = worker } else { first = worker }
        last = worker
    }

    mutating func prepend(_ worker: Place, in workers: inout Slab<WorkerRecord>) {
        workers[worker].list = kind
        workers[worker].previous = .nowhere
        workers[worker].next = first
        if first.isSomewhere { workers[first].previous = worker } else { last = worker }
        first = worker
    }

    mutating func remove(_ worker: Place, in workers: inout Slab<WorkerRecord>) {
        let (next, previous) = (workers[worker].next, workers[worker].previous)
        if previous.isSomewhere { workers[previous].next = next } else { first = next }
        if next.isSomewhere { workers[next].previous = previous } else { last = previous }
        workers[worker].list = .none
    }
}
