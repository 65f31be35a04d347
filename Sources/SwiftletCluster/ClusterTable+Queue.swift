// SPDX-License-Identifier: BSD-3-Clause
import SwiftletModel

// How gathered calls get into the queue of the system.
extension ClusterTable {
    /// How long after the system took no more jobs it is tried again, where no job of ours ends before: twice as long each time.
    private static let retryAfter: (first: UInt64, longest: UInt64) = (1_000_000_000, 32_000_000_000)

    /// How long ends of jobs are gathered until their room is used again: elements of an array end in quick succession.
    private static let roomGathering: UInt64 = 200_000_000

    /// How long what is ready waits for the store's answers about what may join it.
    private static let longestLook: UInt64 = 1_000_000_000

    /// Queues what has been gathered long enough: 50 ms without a submit, a full array, or somebody waits.
    mutating func flush(at now: Instant, into actions: inout [ClusterAction]) {
        if let retryAt, retryAt <= now { fillRoom() }
        if let roomGrowsAt, roomGrowsAt <= now { growRoom(at: now) }
        guard !groupOrder.isEmpty, limits.areKnown else { return }
        // What the store is still looking at will most likely join: a slow one must not tear an array apart.
        let until = gatheredUntil ?? now
        let isSettled = looking == 0 || max(until, lastFlush ?? until).advanced(by: Self.longestLook) <= now
        let isDue = isSettled && (until <= now || isHurried)
        if isDue { lastFlush = now }
        var left: [Group] = []
        for group in groupOrder {
            let members = groups[group]!.filter { entries[$0]?.state == .gathering }
            guard isDue || members.count >= limits.arraySize else {
                groups[group] = members
                if members.isEmpty { groups[group] = nil } else { left.append(group) }
                continue
            }
            groups[group] = nil
            queue(members, in: group, into: &actions)
        }
        groupOrder = left
    }

    private mutating func queue(_ members: [EntryID], in group: Group, into actions: inout [ClusterAction]) {
        // Jobs that have ended since are not named: their system may have forgotten them.
        let dependencies = group.dependencies.filter { job in jobs[job].map { entries[$0]?.state.job == job } ?? false }
        var rest = members[...]
        while !rest.isEmpty {
            let room = min(limits.arraySize, min(limits.jobs, self.room?.jobs ?? .max) - queuedJobs)
            guard room > 0, retryAt == nil else {
                for id in rest { wait(id) }
                return
            }
            let chunk = Array(rest.prefix(room))
            rest = rest.dropFirst(room)
            lastBatch += 1
            let batch = BatchID(lastBatch)
            batches[batch] = chunk
            queuedJobs += chunk.count
            for id in chunk { entries[id]!.state = .queueing(batch) }
            actions.append(.submit(batch, request: group.request, chunk, dependencies: dependencies))
        }
    }

    private mutating func wait(_ id: EntryID) {
        entries[id]!.state = .notQueued
        waitingForRoom.append(id)
    }

    /// Jobs have ended, and others may be about to: what waits for their room goes together.
    mutating func roomIsFree(at now: Instant) {
        guard !waitingForRoom.isEmpty else { return }
        let due = now.advanced(by: queuedJobs == 0 ? 0 : Self.roomGathering)
        retryAt = min(retryAt ?? due, due)
    }

    /// When more is tried than the system has been found to take; nil: nothing waits for that.
    var roomGrowsAt: Instant? { waitingForRoom.isEmpty ? nil : room?.growsAt }

    private mutating func growRoom(at now: Instant) {
        room?.grow(at: now)
        if let jobs = room?.jobs, jobs >= limits.jobs { room = nil }
        fillRoom()
    }

    /// Lets those that wait for room try again.
    mutating func fillRoom() {
        retryAt = nil
        let waiting = waitingForRoom
        waitingForRoom = []
        for id in waiting where entries[id]?.state == .notQueued {
            entries[id]!.state = .blocked
            consider(id)
        }
    }

    mutating func queued(_ batch: BatchID, _ ids: [JobID], into actions: inout [ClusterAction]) {
        guard let members = batches.removeValue(forKey: batch) else { return }
        refusals = 0
        for (id, job) in zip(members, ids) {
            guard entries[id]?.state == .queueing(batch) else { continue }
            entries[id]!.state = .queued(job)
            entries[id]!.isShared = limits.sharesArrays && members.count > 1
            jobs[job] = id
            if entries[id]!.tasks.isEmpty {
                dropIfUnwanted(id, into: &actions)
                continue
            }
            if limits.outlivesClient { actions.append(.record(id, job)) }
            nudgeReaders(of: id)
        }
    }

    mutating func refused(
        _ batch: BatchID, _ refusal: JobRefusal, at now: Instant, into actions: inout [ClusterAction]
    ) {
        guard let members = batches.removeValue(forKey: batch) else { return }
        queuedJobs -= members.count
        if refusal.isForLackOfRoom { room = LearnedRoom(beside: queuedJobs, refused: members.count, after: room, at: now) }
        // Fewer may fit right now.
        let mayBeFewer = refusal.isForLackOfRoom && members.count > 1
        if refusal.isTemporary {
            let pause = min(Self.retryAfter.first << UInt64(min(refusals, 10)), Self.retryAfter.longest)
            retryAt = mayBeFewer ? now : now.advanced(by: pause)
            if !mayBeFewer { refusals += 1 }
        }
        // They keep their place before those that came later.
        let later = waitingForRoom
        waitingForRoom = []
        defer { waitingForRoom += later }
        for id in members where entries[id]?.state == .queueing(batch) {
            if refusal.isTemporary && !entries[id]!.tasks.isEmpty {
                wait(id)
            } else {
                actions.append(.withdraw(id))
                end(id, .refused(refusal.reason), into: &actions)
            }
        }
    }
}
