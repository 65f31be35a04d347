// SPDX-License-Identifier: BSD-3-Clause
import SwiftletModel

/// Where a task is in its life. What comes from `value` on has ended.
enum TaskState: UInt8 {
    /// The client will end it.
    case external
    /// Waits for inputs.
    case waiting
    /// In its class's queue.
    case ready
    /// Its worker could not be started; it is tried again after a while.
    case delayed
    /// A warm worker has it, behind another call.
    case prefetched
    case running
    case value, error, lost, cancelled, inputFailed, timeLimit, refused

    var isEnded: Bool { rawValue >= TaskState.value.rawValue }
    /// Its worker or client left a payload behind.
    var leavesSomething: Bool {
        switch self {
        case .value, .error, .lost, .timeLimit, .refused: true
        case .external, .waiting, .ready, .delayed, .prefetched, .running, .cancelled, .inputFailed: false
        }
    }
}

/// What the scheduler knows of a task: 64 bytes, a million of them are the normal case.
struct TaskRecord {
    let id: TaskID
    /// Where it ended because of another task: the first of that chain.
    var origin = TaskID(0)
    /// Its neighbours in the queue of its class.
    var next = Place.nowhere
    var previous = Place.nowhere
    /// First edge of the list of its inputs, and of the list of tasks that wait for it.
    var inputs = Place.nowhere
    var dependants = Place.nowhere
    /// The worker that has it.
    var worker = Place.nowhere
    /// Index of its request class.
    var requestClass: Int32
    /// Inputs that have not ended.
    var missing: Int32 = 0
    /// Unfinished tasks that need its value, and ended ones whose first cause it is.
    var needed: Int32 = 0
    /// How often a call was begun.
    var attempts: UInt32 = 0
    /// Deaths of workers that count against its limit.
    var deaths: UInt32 = 0
    /// Deaths of workers that do not.
    var returns: UInt8 = 0
    var state: TaskState
    /// The client does not refer to it any more.
    var isReleased = false
    /// It stands in the linked list of its class's queue, not in the heap.
    var isLinked = false

    init(_ id: TaskID, requestClass: Int32, state: TaskState) {
        self.id = id
        self.requestClass = requestClass
        self.state = state
    }
}

/// One use of an input by a dependant. Stands in the lists of both.
struct Edge {
    var input: Place
    var dependant: Place
    /// The next input of the same dependant.
    var nextInput: Place
    /// Neighbours among the tasks that wait for the same input; meaningless once that has ended.
    var nextDependant: Place
    var previousDependant: Place
}
