// SPDX-License-Identifier: BSD-3-Clause
import SwiftletCluster
import SwiftletModel
import SwiftletStore
import SwiftletTransport
import SwiftletWire

extension ClusterShell {
    func look(_ id: EntryID, takingOver job: JobID?) {
        guard let entry = entries[id] else { return }
        let order = StoreOrder.look(entry.place, task: entry.task, claims: true, takingOver: job.map(claimJob))
        store.submit(order) { [unowned self] answer in
            switch answer {
            case .value(let stored, let notes):
                note(notes)
                resultInHand = (id, result(stored, isHit: true))
                apply(.looked(id, .value))
            case .claimed(let notes):
                note(notes)
                entries[id]?.isClaimed = true
                entries[id]?.task = nil
                apply(.looked(id, .claimed))
            case .taken(let claim, let notes):
                note(notes)
                entries[id]?.holder = claim.holder
                let isOurSystem = claim.job?.system == table.systemName
                apply(.looked(id, .taken(isOurSystem ? claim.job.map { JobID($0.id, index: $0.index) } : nil)))
            case .failed(let reason, let notes):
                note(notes)
                apply(.looked(id, .failed(reason)))
            case .found, .done: break
            }
        }
    }

    func record(_ id: EntryID, _ job: JobID?) {
        guard let entry = entries[id] else { return }
        store.submit(.record(entry.place, job.map(claimJob))) { [unowned self] answer in
            if case .failed(let reason, _) = answer { note([reason]) }
        }
    }

    func release(_ id: EntryID) {
        guard let entry = entries[id], entry.isClaimed else { return }
        entries[id]!.isClaimed = false
        store.submit(.release(entry.place)) { _ in }
    }

    func check(_ ids: [EntryID]) {
        let places = ids.compactMap { entries[$0]?.place }
        let foreign = Set(ids.compactMap { entries[$0] }.filter { !$0.isClaimed }.map(\.place))
        store.submit(.check(places, watchesHolder: foreign)) { [unowned self] answer in
            guard case .found(let findings) = answer else { return }
            for (place, finding) in findings {
                guard let id = entryIDs[place] else { continue }
                found(finding, id)
            }
        }
    }

    private func found(_ finding: StoreFinding, _ id: EntryID) {
        switch finding {
        case .absent: apply(.absent(id))
        case .holderGone:
            apply(.holderGone(id))
            apply(.absent(id))
        case .unusable(let reason): apply(.appeared(id, .lost(reason)))
        case .outcome(let stored):
            resultInHand = (id, result(stored, isHit: false))
            switch stored.header.kind {
            case .value: apply(.appeared(id, .value))
            case .error: apply(.appeared(id, .error))
            case .timeLimit: apply(.appeared(id, .timeLimit))
            case .lost, nil: apply(.appeared(id, .lost(stored.header.reason ?? "its outcome does not say how it ended")))
            }
        }
    }

    /// Held as long as it is in hand.
    private func result(_ stored: StoredEntry, isHit: Bool) -> Result {
        let payload = engine.payload(of: stored, named: stored.header.kind == .value ? "value" : "error")
        engine.forSegmentParts(of: payload) { engine.segments.take($0) }
        return Result(payload: payload, header: stored.header, isHit: isHit)
    }

    private func claimJob(_ job: JobID) -> Claim.Job { Claim.Job(system: table.systemName, id: job.number, index: job.index) }
}
