// SPDX-License-Identifier: BSD-3-Clause
import Glibc

/// The entries of tasks in directories that many programs share. Every method may take as long as the file system likes:
/// a store is used on a thread of its own, by one thread only.
public final class Store {
    /// Users whose entries are trusted: always this one and root.
    public let trusted: Set<UInt32>
    let identity: Claim
    /// The system of jobs that its owner can ask; nil: none. What other systems' jobs do, nobody here can tell.
    let system: String?
    /// Writes reach the disk before they count: where the entry is the only copy.
    let isDurable: Bool
    /// Of headers it gives what tells what an entry is; its owner wants no more.
    let readsOnlyEssentials: Bool
    /// A file of ours in each folder, to which claims are links: one touch refreshes them all.
    var claimants: [String: Claimant] = [:]
    /// Folders with names that need not last, but soon should: see `refreshClaims`.
    var unsynced: Set<String> = []
    private var counter = 0
    private let token: String

    public init(
        trusting owners: some Sequence<UInt32> = [], isDurable: Bool = false, asking system: String? = nil,
        readsOnlyEssentials: Bool = false
    ) {
        self.system = system
        self.readsOnlyEssentials = readsOnlyEssentials
        trusted = Set(owners).union([geteuid(), 0])
        identity = Claim.ofThisProcess()
        self.isDurable = isDurable
        token = String(UInt64.random(in: .min ... .max), radix: 36)
    }

    public func read(_ role: EntryRole, at place: EntryPlace) -> EntryReading {
        EntryFile.read(role, at: place, trusting: trusted, onlyEssentials: readsOnlyEssentials)
    }

    /// Whether a file is there; nothing is said about what it is worth.
    public func exists(_ role: EntryRole, at place: EntryPlace) -> Bool { access(place.path(role), F_OK) == 0 }

    /// Writes what is to be run. Only the claim's holder does. Not durably, unlike an outcome: where it is lost with its host, so is
    /// the claim, and whoever asks for the call next writes it again.
    public func writeTask(_ header: EntryHeader, parts: [[UInt8]], at place: EntryPlace) throws(StoreError) {
        let temporary = try temporaryPath(in: place.folder)
        let bytes = EntryFormat.encode(.task, header, parts: parts)
        // It may hold the client's settings: nobody else reads it.
        try EntryFile.writeTemporary(bytes, at: temporary, mode: 0o600, durably: false)
        guard rename(temporary, place.path(.task)) == 0 else { throw dropping(temporary, as: place.path(.task)) }
        FaultPoint.reach(.named)
        if isDurable { unsynced.insert(place.folder) }
    }

    /// Writes an outcome. A value that is there already stands; anything else is replaced.
    /// - Returns: whether this outcome is the one that stands.
    @discardableResult
    public func writeOutcome(_ header: EntryHeader, parts: [[UInt8]], at place: EntryPlace) throws(StoreError) -> Bool {
        try writeOutcome(StoredTask(header: header, parts: parts), at: place)
    }

    @discardableResult
    func writeOutcome(_ outcome: StoredTask, at place: EntryPlace) throws(StoreError) -> Bool {
        let temporary = try temporaryPath(in: place.folder)
        if outcome.files.isEmpty {
            let bytes = EntryFormat.encode(.outcome, outcome.header, parts: outcome.parts)
            try EntryFile.writeTemporary(bytes, at: temporary, mode: 0o666, durably: isDurable)
        } else {
            try EntryFile.writeLarge(.outcome, outcome, at: temporary, mode: 0o666, durably: isDurable)
        }
        let path = place.path(.outcome)
        if link(temporary, path) == 0 || isSameFile(temporary, path) {
            unlink(temporary)
        } else {
            if case .found(let entry) = read(.outcome, at: place), entry.header.kind == .value {
                unlink(temporary)
                return false
            }
            guard rename(temporary, path) == 0 else { throw dropping(temporary, as: path) }
        }
        FaultPoint.reach(.named)
        if isDurable { EntryFile.syncFolder(place.folder) }
        return true
    }

    /// Removes a file of an entry; an outcome that is in the way, or a task that is over.
    public func remove(_ role: EntryRole, at place: EntryPlace) { unlink(place.path(role)) }

    /// What a job does when its outcome is there: the task is over, and the claim with it, whoever made that.
    public func tidy(_ place: EntryPlace) {
        remove(.task, at: place)
        unlink(place.claimPath)
    }

    func temporaryPath(in folder: String, kind: String = "tmp") throws(StoreError) -> String {
        if access(folder, F_OK) != 0 { try EntryFile.makeFolder(folder) }
        counter += 1
        return "\(folder)/.swiftlet-\(token)-\(counter).\(kind)"
    }

    private func dropping(_ temporary: String, as path: String) -> StoreError {
        let error = StoreError("written", path)
        unlink(temporary)
        return error
    }

    /// A link whose answer was lost on the network may have been made all the same.
    func isSameFile(_ first: String, _ second: String) -> Bool {
        var left = stat()
        var right = stat()
        return lstat(first, &left) == 0 && lstat(second, &right) == 0 && left.st_ino == right.st_ino
            && left.st_dev == right.st_dev
    }
}
