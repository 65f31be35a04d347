// SPDX-License-Identifier: BSD-3-Clause
import CSwiftlet
import SwiftletModel
import SwiftletScheduler
import SwiftletStore
import SwiftletTransport
import SwiftletWire

/// The store behind the calls of workers: values are found there and left there. It works on a thread of its own.
final class CallStore {
    let thread: WorkThread<StoreOrder, StoreAnswer>
    var calls = StoredCalls()
    /// Where the outcomes of calls are that the client may name as inputs.
    var names: [TaskID: EntryPlace] = [:]
    /// What the headers of outcomes to come say beside what the engine has.
    var headers: [TaskID: (function: String, inputs: [String])] = [:]
    var unwritten = UnwrittenOutcomes()
    var saidNotes: Set<String> = []
    /// Nothing follows but the goodbye.
    var isClosed = false
    var watchTimer: UInt64 = 0
    var refreshTimer: UInt64 = 0

    init(loop: EventLoop, trusting owners: [UInt32]) throws {
        thread = try WorkThread(loop: loop) {
            let store = Store(trusting: owners, readsOnlyEssentials: true)
            return { store.carryOut($0) }
        }
    }
}

extension CallStore {
    /// How an entry names another one as its input; empty where that is in no store.
    func name(of input: TaskID, for place: EntryPlace) -> String {
        guard let source = names[input] else { return "" }
        return source.directory == place.directory ? source.key : source.description
    }
}

extension Engine {
    /// How often entries on which others work are looked at, in nanoseconds.
    private static let watchInterval: UInt64 = 250_000_000

    /// A call that may be in the store already.
    func submitEntry(_ task: TaskID, _ reader: inout ByteReader) throws {
        let call = try EntryCall(&reader)
        guard scheduler != nil, requests[call.request] != nil, tasks[task] == nil else {
            throw WireError("task \(task.rawValue) cannot be submitted: no such request, no CONFIGURE, or the id is in use")
        }
        let store = try callStore ?? CallStore(loop: loop, trusting: configuration?.trustedOwners ?? [])
        callStore = store
        forSegmentParts(of: call.call[call.payloadOffset...]) { segments.take($0) }
        for blob in call.blobs { blobs.use(blob) }
        inlineBytes += UInt64(call.call.count)
        argumentBytes += UInt64(call.call.count)
        tasks[task] = TaskPayloads(call: call.call, request: call.request)
        store.headers[task] = (call.function, call.inputs.map { store.name(of: $0, for: call.place) })
        store.names[task] = call.place
        observe(.submitted, task: task)
        apply(.submitHeld(task, request: call.request, inputs: call.inputs))
        // An input that has failed has ended it already.
        if tasks[task]?.call.isEmpty == false { carryOut(store.calls.submit(task, at: call.place)) }
        adjustBudget()
    }

    private func carryOut(_ actions: [StoredCallsAction]) {
        guard let store = callStore else { return }
        for action in actions {
            switch action {
            case .look(let place):
                writeOutcome(at: place)
                store.thread.submit(.look(place, task: nil, claims: true, takingOver: nil)) { [unowned self] in
                    looked(place, $0)
                }
            case .run(let task): apply(.letGo(task))
            case .answer(let tasks): assertionFailure("\(tasks) have no value here")
            case .release(let place): store.thread.submit(.release(place)) { _ in }
            }
        }
        watchStore()
    }

    private func looked(_ place: EntryPlace, _ answer: StoreAnswer) {
        guard let store = callStore else { return }
        switch answer {
        case .value(let entry, let notes):
            say(notes)
            found(entry, at: place)
        case .claimed(let notes):
            say(notes)
            carryOut(store.calls.claimed(place))
        case .taken(let claim, let notes):
            say(notes)
            store.calls.taken(place, by: claim.holder)
            watchStore()
        case .failed(let reason, let notes):
            // No store is no reason not to run the call.
            say(notes + ["\(reason); calls run without being stored"])
            carryOut(store.calls.claimed(place))
        case .found, .done: break
        }
    }

    private func found(_ entry: StoredEntry, at place: EntryPlace) {
        guard let store = callStore else { return }
        for case .answer(let tasks) in store.calls.found(at: place) where !tasks.isEmpty {
            let payload = payload(of: entry, named: "value")
            for _ in tasks { forSegmentParts(of: payload) { segments.take($0) } }
            for task in tasks { answer(task, with: payload) }
        }
    }

    /// Ends a held call with a value. Nothing else is being applied now: this comes from the loop, never from an action.
    private func answer(_ task: TaskID, with payload: [UInt8]) {
        callStore?.headers[task] = nil
        payloadInHand = (task, payload)
        apply(.answer(task))
    }

    /// A call has ended: leaves its outcome in the store, and answers the calls that are equal to it.
    func storeOutcome(of task: TaskID, _ outcome: Outcome, run: Run?, worker: Worker?) {
        guard let store = callStore, let place = store.calls.places[task] else { return }
        let header = store.headers.removeValue(forKey: task) ?? ("", [])
        let isWritten = run != nil && (outcome == .value || outcome == .error)
        if isWritten, let unwritten = outcomeEntry(of: task, place, header, outcome, run: run, worker: worker) {
            write(unwritten, of: worker)
        }
        let actions = store.calls.ended(task, hasValue: outcome == .value, isWritten: isWritten)
        for action in actions {
            guard case .answer(let equal) = action, let value = tasks[task]?.value else {
                // In their turn: an action is being carried out.
                loop.afterThisTurn { [unowned self] in carryOut([action]) }
                continue
            }
            for equal in equal {
                forSegmentParts(of: value) { segments.take($0) }
                loop.afterThisTurn { [unowned self] in answer(equal, with: value) }
            }
        }
        watchStore()
    }

    func say(_ notes: [String]) {
        guard let store = callStore else { return }
        for text in notes where store.saidNotes.insert(text).inserted { note(text) }
    }

    /// Looks at entries on which others work, and gives a sign of life for our own claims; only while there are some.
    private func watchStore() {
        guard let store = callStore else { return }
        if store.watchTimer == 0, !store.calls.foreign.isEmpty {
            store.watchTimer = loop.schedule(after: Self.watchInterval) { [unowned self] in
                store.watchTimer = 0
                let places = store.calls.foreign
                store.thread.submit(.check(places, watchesHolder: Set(places))) { [unowned self] in checked($0) }
            }
        }
        if store.refreshTimer == 0, !store.calls.isEmpty {
            store.refreshTimer = loop.schedule(after: Store.refreshInterval) { [unowned self] in
                store.refreshTimer = 0
                store.thread.submit(.refresh) { _ in }
                watchStore()
            }
        }
    }

    private func checked(_ answer: StoreAnswer) {
        guard let store = callStore, case .found(let findings) = answer else { return }
        for (place, finding) in findings {
            switch finding {
            case .outcome(let entry) where entry.header.kind == .value: found(entry, at: place)
            case .absent: break
            case .outcome, .unusable, .holderGone: carryOut(store.calls.holderGone(place))
            }
        }
        watchStore()
    }
}
