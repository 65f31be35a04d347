// SPDX-License-Identifier: BSD-3-Clause
import Glibc

/// What became of the wish to work on an entry.
public enum ClaimAnswer: Sendable {
    case ours
    /// Somebody else is at it and seen alive. With a job, its system knows whether that is true.
    case taken(Claim)
    case failed(StoreError)
}

/// The file of ours in one folder to which our claims there are links.
struct Claimant {
    let path: String
    var links: Int
}

extension Store {
    /// A claim without a sign of life for this long is stale, in seconds; its host alone could say more.
    static let staleAfter = 120
    /// How often `refreshClaims` is to be called, in nanoseconds.
    public static let refreshInterval: UInt64 = 30_000_000_000
    /// Some file systems allow no more than 65,000 links to a file.
    private static let linkLimit = 30_000

    /// Claims the entry, so that others wait for its outcome. A claim whose holder is gone is taken over.
    /// - Parameter isGone: what the job's system says of a job that has a claim; asked before it is respected.
    public func claim(_ place: EntryPlace, takingOverJob: Claim.Job? = nil) -> ClaimAnswer {
        do throws(StoreError) {
            for _ in 0..<16 {
                let claimant = try claimant(in: place.folder)
                if link(claimant, place.claimPath) == 0 || isSameFile(claimant, place.claimPath) {
                    claimants[place.folder]?.links += 1
                    FaultPoint.reach(.claimed)
                    return .ours
                }
                switch errno {
                case EEXIST:
                    guard let (claim, status) = readClaim(place) else { continue }
                    if let claim, try isLive(claim, status, in: place), claim.job == nil || claim.job != takingOverJob {
                        return .taken(claim)
                    }
                    try takeAway(place, status)
                case ENOENT: claimants[place.folder] = nil  // somebody tidied up
                case EPERM, EXDEV, EOPNOTSUPP, EMLINK: return try claimWithoutLink(place)
                default: throw StoreError("claimed", place.claimPath)
                }
            }
            errno = EBUSY
            throw StoreError("claimed", place.claimPath)
        } catch {
            return .failed(error)
        }
    }

    /// Says in the claim which job will write the outcome, or (nil) that nobody has queued it.
    public func record(_ job: Claim.Job?, at place: EntryPlace) throws(StoreError) {
        var claim = identity
        claim.job = job
        claim.isNotQueued = job == nil ? true : nil
        let temporary = try temporaryPath(in: place.folder)
        try EntryFile.writeTemporary(claim.json, at: temporary, mode: 0o644, durably: false)
        guard rename(temporary, place.claimPath) == 0 else {
            let error = StoreError("written", place.claimPath)
            unlink(temporary)
            throw error
        }
        FaultPoint.reach(.recorded)
        claimants[place.folder]?.links -= 1
        if isDurable { unsynced.insert(place.folder) }
    }

    /// Gives up a claim of ours (and no other).
    public func release(_ place: EntryPlace) {
        guard let (claim, _) = readClaim(place), claim?.pid == identity.pid, claim?.boot == identity.boot,
            claim?.start == identity.start
        else { return }
        unlink(place.claimPath)
        claimants[place.folder]?.links -= 1
        FaultPoint.reach(.released)
    }

    /// The claim on an entry, if somebody alive (or a job) has one.
    public func holder(of place: EntryPlace) -> Claim? {
        guard let (claim, status) = readClaim(place), let claim, (try? isLive(claim, status, in: place)) ?? true else {
            return nil
        }
        return claim
    }

    /// A sign of life for all our claims; they are links to few files. What was written of tasks and claims reaches the disk, where
    /// it has to: one by one would cost more than all else that is done for a call.
    public func refreshClaims() {
        for folder in unsynced { EntryFile.syncFolder(folder) }
        unsynced = []
        for claimant in claimants.values where claimant.links > 0 { utimensat(AT_FDCWD, claimant.path, nil, 0) }
    }

    /// Removes the files that our claims were links to. Claims of ours that are left go stale.
    public func close() {
        for claimant in claimants.values { unlink(claimant.path) }
        claimants = [:]
    }

    private func claimant(in folder: String) throws(StoreError) -> String {
        if let claimant = claimants[folder], claimant.links < Self.linkLimit { return claimant.path }
        if let old = claimants.removeValue(forKey: folder) { unlink(old.path) }
        let path = try temporaryPath(in: folder, kind: "claimant")
        try EntryFile.writeTemporary(identity.json, at: path, mode: 0o644, durably: false)
        claimants[folder] = Claimant(path: path, links: 0)
        return path
    }

    /// For file systems without links.
    private func claimWithoutLink(_ place: EntryPlace) throws(StoreError) -> ClaimAnswer {
        let descriptor = open(place.claimPath, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else {
            guard errno == EEXIST, let (claim, status) = readClaim(place) else { throw StoreError("claimed", place.claimPath) }
            if let claim, try isLive(claim, status, in: place) { return .taken(claim) }
            try takeAway(place, status)
            return try claimWithoutLink(place)
        }
        let json = identity.json
        _ = json.withUnsafeBytes { write(descriptor, $0.baseAddress, $0.count) }
        Glibc.close(descriptor)
        return .ours
    }

    /// The claim as it stands; `claim` is nil where its file says nothing that can be read. nil: there is none (any more).
    private func readClaim(_ place: EntryPlace) -> (claim: Claim?, status: stat)? {
        let descriptor = open(place.claimPath, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else { return nil }
        defer { Glibc.close(descriptor) }
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { return nil }
        let bytes = EntryFile.readAll(descriptor, size: Int(min(status.st_size, 1 << 16))) ?? []
        return (trusted.contains(status.st_uid) ? Claim(json: bytes) : nil, status)
    }

    private func isLive(_ claim: Claim, _ status: stat, in place: EntryPlace) throws(StoreError) -> Bool {
        if claim.isNotQueued == true { return false }
        if let job = claim.job {
            // Its system says whether it lives. Where that cannot be asked, its client does, or the age of the claim.
            if job.system == system || claim.isAliveHere == true { return true }
        } else if let alive = claim.isAliveHere {
            return alive
        }
        // No two hosts' clocks are compared: both times come from the file system.
        let probe = try temporaryPath(in: place.folder, kind: "probe")
        try EntryFile.writeTemporary([], at: probe, mode: 0o600, durably: false)
        defer { unlink(probe) }
        var now = stat()
        guard lstat(probe, &now) == 0 else { return true }
        return now.st_mtim.tv_sec - status.st_mtim.tv_sec <= Self.staleAfter
    }

    /// Takes a stale claim out of the way; where a live one has come in between, it is put back.
    private func takeAway(_ place: EntryPlace, _ stale: stat) throws(StoreError) {
        let aside = try temporaryPath(in: place.folder, kind: "stale")
        guard rename(place.claimPath, aside) == 0 else { return }
        var moved = stat()
        if lstat(aside, &moved) == 0, moved.st_ino != stale.st_ino { _ = link(aside, place.claimPath) }
        unlink(aside)
    }
}
