// SPDX-License-Identifier: BSD-3-Clause
import Glibc
import SwiftletLaunch
import SwiftletModel
import SwiftletTransport

/// What a worker works on.
struct Run {
    let worker: WorkerID
    let attempt: Int
    /// Unix time in nanoseconds.
    let start: UInt64
    /// The same moment on the monotonic clock.
    let begun: UInt64
}

/// A worker's process as the shell sees it: its connection, its outputs, and how far its end has come.
final class Worker {
    /// The stages of ending a process, each with what it waits for.
    enum Stage {
        case running
        /// Asked to exit by itself.
        case finishing
        case terminated
        case killed
    }

    let id: WorkerID
    let peer: Peer
    let outputs: [OutputReader]
    /// Who started it.
    let spawner: any WorkerSignals
    let isFresh: Bool
    /// What it holds.
    let slot: Slot
    /// The same in words, for the outcomes of its calls; nil where the client was told once for all of them.
    var slotWords: String?
    /// Bytes of memory it may use with all it starts; nil: as much as there is.
    var memoryLimit: UInt64?
    /// What it used when it was found to use more.
    var memoryUsed: UInt64?

    var process: pid_t = 0
    var current: TaskID?
    /// The call it was given last, and in which turn of the loop.
    var lastAssigned: TaskID?
    var assignedInTurn: UInt64 = 0
    /// The client has been told that `current` is running, or will be.
    var isAnnounced = true
    /// How many answers to RECALL for a task are still to come whose recall was settled without them.
    var settledRecalls: [TaskID: Int] = [:]
    /// Calls it was asked for in this turn of the loop.
    var recalls: [TaskID] = []
    /// Calls it was asked for that it has said nothing of, a list for each look at its socket that has not been heard of.
    var looks: [[TaskID]] = []
    /// What lets it connect by itself, where it was not given its connection.
    var ticket: Ticket?
    /// Its other ranks, where a launcher has started them.
    var ranks: RankSwitch?
    /// It is a job step, started by a launcher's command, which its process is.
    var isStep = false
    /// Its ranks were started by the client's launcher, which its process is.
    var isGroup = false
    /// The step's name as its launcher knows it.
    var step: String?
    /// It has connected and said HELLO.
    var hasGreeted = false
    /// It was ended because it had not.
    var isLate = false
    /// An external program: what it is started with, but for what its call says.
    var command: CommandPlace?
    /// When it was heard to run, on the monotonic clock, where it had to wait for resources after it was started.
    var upSince: UInt64?
    /// How its process ended, while what it said last is still on its way.
    var end: ProcessEnd?
    var stage = Stage.running
    var stageTimer: UInt64 = 0
    /// It said that it is ready, or (fresh) it has its call.
    var isUp = false

    init(id: WorkerID, peer: Peer, outputs: [OutputReader], spawner: any WorkerSignals, isFresh: Bool, slot: Slot) {
        self.id = id
        self.peer = peer
        self.outputs = outputs
        self.spawner = spawner
        self.isFresh = isFresh
        self.slot = slot
    }

    /// It may have seen its call, which is sent as soon as its connection has come.
    var mayHaveBegun: Bool { hasGreeted || (peer.link as? SecureLink)?.hasBeenAttached == true }

    /// All that is kept of its error output, also where it is a program whose output is its value.
    var errorWords: String { String(decoding: outputs.last?.tail ?? [], as: UTF8.self) }

    /// The last lines it printed on its error output.
    var errorTail: String {
        let tail = outputs.last?.lastWords ?? []
        return String(decoding: tail, as: UTF8.self)
    }
}
