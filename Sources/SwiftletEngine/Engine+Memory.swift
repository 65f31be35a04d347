// SPDX-License-Identifier: BSD-3-Clause
import Glibc
import SwiftletLaunch
import SwiftletModel
import SwiftletTransport

// Memory limits: nothing tells when a process takes a page, so it is looked at, while there is a worker with a limit.
extension Engine {
    /// How often, in nanoseconds. A shorter peak is not seen.
    private static let memoryInterval: UInt64 = 500_000_000

    /// Watches a worker that has a limit. In an instance of Flux its agent does it, on other nodes the batch system.
    func watchMemory(of worker: Worker) {
        guard configuration?.nodes == nil else { return }
        let limit = worker.slot.placements.reduce(UInt64(0)) { $0 + $1.memory }
        guard limit > 0 else { return }
        worker.memoryLimit = limit
        if flux == nil { scheduleMemoryLook() }
    }

    private func scheduleMemoryLook() {
        guard !memoryLookIsScheduled else { return }
        memoryLookIsScheduled = true
        loop.schedule(after: Self.memoryInterval) { [unowned self] in
            memoryLookIsScheduled = false
            lookAtMemory()
        }
    }

    private func lookAtMemory() {
        for worker in workers.values {
            guard let limit = worker.memoryLimit, worker.process > 0 else { continue }
            let used = ProcessTree.memory(of: worker.process, limit: limit)
            guard used > limit, worker.memoryUsed == nil else { continue }
            usesTooMuch(worker, used: used)
            // No time for good words: the node may run out of memory meanwhile.
            worker.spawner.signal(worker.id, SIGKILL)
        }
        if workers.values.contains(where: { $0.memoryLimit != nil }) { scheduleMemoryLook() }
    }

    /// Who has seen it ends the worker.
    func usesTooMuch(_ worker: Worker, used: UInt64) {
        guard let limit = worker.memoryLimit else { return }
        worker.memoryUsed = used
        note(
            "worker \(worker.id.rawValue) (process \(worker.process)) uses \(used >> 20) MB, more than the \(limit >> 20) MB it may; "
                + "it is ended")
    }

    /// Why the worker has ended, where it was for its memory.
    func memoryReason(_ worker: Worker) -> ProcessEnd? {
        guard let limit = worker.memoryLimit, let used = worker.memoryUsed else { return nil }
        return .memoryLimit(limit, used: used)
    }
}
