// SPDX-License-Identifier: BSD-3-Clause

/// What a store is asked for by an engine, which never touches a file system itself.
public enum StoreOrder: Sendable {
    /// The value, if there is one; else (with a task) claim the entry and write what is to be run.
    case look(EntryPlace, task: StoredTask?, claims: Bool, takingOver: Claim.Job?)
    /// See whether outcomes are there; where `watchesHolder` is set also whether who claimed it lives.
    case check([EntryPlace], watchesHolder: Set<EntryPlace>)
    case record(EntryPlace, Claim.Job?)
    /// Write the outcome of a claimed entry, then give up the claim.
    case finish(EntryPlace, StoredTask)
    /// Remove the task, give up the claim.
    case release(EntryPlace)
    case refresh
    case close
}

/// What is to be run, ready to be written.
public struct StoredTask: Sendable {
    public var header: EntryHeader
    public var parts: [[UInt8]]
    /// Parts that are read when they are written, by their places; `parts` has nothing there.
    public var files: [Int: FilePart]

    public init(header: EntryHeader, parts: [[UInt8]], files: [Int: FilePart] = [:]) {
        self.header = header
        self.parts = parts
        self.files = files
    }
}

/// What was found at one place.
public enum StoreFinding: Sendable {
    case outcome(StoredEntry)
    case absent
    /// There is a file, but nothing that can be trusted; the text names it and says what to do.
    case unusable(String)
    /// No outcome, and the claim's holder is gone.
    case holderGone
}

public enum StoreAnswer: Sendable {
    /// An outcome that counts; the notes are for the user.
    case value(StoredEntry, notes: [String])
    case claimed(notes: [String])
    case taken(Claim, notes: [String])
    case failed(String, notes: [String])
    case found([(EntryPlace, StoreFinding)])
    case done
}

extension Store {
    /// Does it. Never fails otherwise than by its answer.
    public func carryOut(_ order: StoreOrder) -> StoreAnswer {
        switch order {
        case .look(let place, let task, let claims, let job): return look(place, task: task, claims: claims, takingOver: job)
        case .check(let places, let watched):
            for folder in Set(places.map(\.folder)) { revalidate(folder) }
            return .found(places.map { ($0, finding(at: $0, watchesHolder: watched.contains($0))) })
        case .record(let place, let job):
            return answer { () throws(StoreError) in try record(job, at: place) }
        case .finish(let place, let outcome):
            defer { release(place) }
            return answer { () throws(StoreError) in try writeOutcome(outcome, at: place) }
        case .release(let place):
            remove(.task, at: place)
            release(place)
            return .done
        case .refresh:
            refreshClaims()
            return .done
        case .close:
            close()
            return .done
        }
    }

    private func answer(_ body: () throws(StoreError) -> Void) -> StoreAnswer {
        do {
            try body()
            return .done
        } catch {
            return .failed(error.description, notes: [])
        }
    }

    private func look(_ place: EntryPlace, task: StoredTask?, claims: Bool, takingOver job: Claim.Job?) -> StoreAnswer {
        var notes: [String] = []
        if let value = value(at: place, &notes) { return .value(value, notes: notes) }
        guard claims else { return .claimed(notes: notes) }
        switch claim(place, takingOverJob: job) {
        case .failed(let error): return .failed(error.description, notes: notes)
        case .taken(let claim): return .taken(claim, notes: notes)
        case .ours: break
        }
        var ignored: [String] = []
        if let value = value(at: place, &ignored) {  // it has come in between
            release(place)
            return .value(value, notes: notes)
        }
        guard let task else { return .claimed(notes: notes) }
        do throws(StoreError) {
            // An outcome that does not count must not be taken for the one that comes.
            if exists(.outcome, at: place) { remove(.outcome, at: place) }
            try writeTask(task.header, parts: task.parts, at: place)
        } catch {
            release(place)
            return .failed(error.description, notes: notes)
        }
        return .claimed(notes: notes)
    }

    private func value(at place: EntryPlace, _ notes: inout [String]) -> StoredEntry? {
        switch read(.outcome, at: place) {
        case .found(let entry): return entry.header.kind == .value ? entry : nil
        case .absent: return nil
        case .foreign(let path, let owner):
            notes.append("\(path) belongs to user \(owner), who is not trusted: it is not used\n" + Self.trustHint)
        case .faulty(let path, let fault): notes.append("\(path) \(fault): it is not used, the call is run again")
        case .failed(let error): notes.append("\(error): the call is run again")
        }
        return nil
    }

    private static let trustHint = "hint: SWIFTLET_TRUST_OWNERS=name,… names users whose entries are trusted"

    private func finding(at place: EntryPlace, watchesHolder: Bool) -> StoreFinding {
        switch read(.outcome, at: place) {
        case .found(let entry): return .outcome(entry)
        case .faulty(let path, let fault): return .unusable("\(path) \(fault); remove it and submit the call again")
        case .failed(let error): return .unusable("\(error)")
        case .foreign(let path, let owner):
            return .unusable("\(path) belongs to user \(owner), who is not trusted\n" + Self.trustHint)
        case .absent: return watchesHolder && holder(of: place) == nil ? .holderGone : .absent
        }
    }
}
