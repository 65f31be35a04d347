// SPDX-License-Identifier: BSD-3-Clause
import SwiftletModel
import SwiftletStore

/// What is to be done for calls of workers that have a place in a store.
enum StoredCallsAction: Equatable {
    /// Look for a value; where there is none, claim the place.
    case look(EntryPlace)
    /// Run the call; it is held until now.
    case run(TaskID)
    /// The calls have the value that was found.
    case answer([TaskID])
    /// Nobody runs it: give up the claim.
    case release(EntryPlace)
}

/// Decides which of several equal calls looks, runs, or waits for another. A value; every call in it is held by the scheduler
/// until it is run or answered.
struct StoredCalls {
    private enum State: Equatable {
        case looking
        case running(TaskID)
        /// Another client works on it: who, in words.
        case foreign(String)

        var isForeign: Bool { if case .foreign = self { true } else { false } }
    }

    private struct Calls {
        var state = State.looking
        /// Held calls, the oldest first.
        var held: [TaskID]
    }

    private var calls: [EntryPlace: Calls] = [:]
    private(set) var places: [TaskID: EntryPlace] = [:]

    var isEmpty: Bool { calls.isEmpty }
    /// Places on which another client works.
    var foreign: [EntryPlace] { calls.filter { $0.value.state.isForeign }.map(\.key) }

    /// Why the store still holds a call; nil where it does not.
    func explain(_ task: TaskID) -> String? {
        guard let place = places[task], let all = calls[place] else { return nil }
        switch all.state {
        case .looking: return "its key is being looked up: \(place)"
        case .running(task): return nil
        case .running(let other): return "waits for \(other), an equal call, which has the same key: \(place)"
        case .foreign(let holder): return "waits for another client, which has claimed its key: \(holder); \(place)"
        }
    }

    mutating func submit(_ task: TaskID, at place: EntryPlace) -> [StoredCallsAction] {
        places[task] = place
        if calls[place] != nil {
            calls[place]!.held.append(task)
            return []
        }
        calls[place] = Calls(held: [task])
        return [.look(place)]
    }

    /// There is a value.
    mutating func found(at place: EntryPlace) -> [StoredCallsAction] {
        guard let all = calls[place], all.state == .looking || all.state.isForeign else { return [] }
        return answer(place, all.held)
    }

    /// There is none, and the place is claimed (or cannot be: then the call runs all the same).
    mutating func claimed(_ place: EntryPlace) -> [StoredCallsAction] {
        guard calls[place]?.state == .looking else { return [.release(place)] }
        return runNext(at: place)
    }

    mutating func taken(_ place: EntryPlace, by holder: String) {
        if calls[place]?.state == .looking { calls[place]!.state = .foreign(holder) }
    }

    /// Whoever worked on it is gone without having left a value.
    mutating func holderGone(_ place: EntryPlace) -> [StoredCallsAction] {
        guard calls[place]?.state.isForeign == true else { return [] }
        calls[place]!.state = .looking
        return [.look(place)]
    }

    /// A call has ended, or was cancelled.
    /// - Returns: what to do; with a value, the calls that it answers.
    mutating func ended(_ task: TaskID, hasValue: Bool, isWritten: Bool) -> [StoredCallsAction] {
        guard let place = places.removeValue(forKey: task), let all = calls[place] else { return [] }
        guard all.state == .running(task) else {
            calls[place]!.held.removeAll { $0 == task }
            if calls[place]!.held.isEmpty && all.state != .looking {
                if case .running = all.state { return [] }
                calls[place] = nil
            }
            return []
        }
        if hasValue { return answer(place, all.held) }
        if isWritten {  // with its outcome the claim is gone
            guard !all.held.isEmpty else {
                calls[place] = nil
                return []
            }
            calls[place]!.state = .looking
            return [.look(place)]
        }
        return runNext(at: place)
    }

    private mutating func answer(_ place: EntryPlace, _ tasks: [TaskID]) -> [StoredCallsAction] {
        calls[place] = nil
        for task in tasks { places[task] = nil }
        return tasks.isEmpty ? [] : [.answer(tasks)]
    }

    private mutating func runNext(at place: EntryPlace) -> [StoredCallsAction] {
        guard let next = calls[place]?.held.first else {
            calls[place] = nil
            return [.release(place)]
        }
        calls[place]!.held.removeFirst()
        calls[place]!.state = .running(next)
        return [.run(next)]
    }
}
