// SPDX-License-Identifier: BSD-3-Clause
import Glibc
import SwiftletModel
import SwiftletTransport
import SwiftletWire

/// Looks at how much memory the workers of an agent use that have a limit: every half second, while there is one.
final class AgentMemory {
    private struct Watched {
        let limit: UInt64
        var process: pid_t?
    }

    private let loop: EventLoop
    /// A worker uses more than it may: told once.
    private let onExcess: (UInt32, _ used: UInt64) -> Void
    private var watched: [UInt32: Watched] = [:]
    private var isScheduled = false

    /// Nanoseconds. A shorter peak is not seen.
    private static let interval: UInt64 = 500_000_000

    init(loop: EventLoop, onExcess: @escaping (UInt32, _ used: UInt64) -> Void) {
        self.loop = loop
        self.onExcess = onExcess
    }

    func watch(_ worker: UInt32, limit: UInt64) { watched[worker] = Watched(limit: limit) }

    func started(_ worker: UInt32, _ process: pid_t) {
        guard watched[worker] != nil else { return }
        watched[worker]!.process = process
        schedule()
    }

    func ended(_ worker: UInt32) { watched[worker] = nil }

    private func schedule() {
        guard !isScheduled else { return }
        isScheduled = true
        loop.schedule(after: Self.interval) { [unowned self] in
            isScheduled = false
            look()
            if !watched.isEmpty { schedule() }
        }
    }

    private func look() {
        for (worker, entry) in watched {
            guard let process = entry.process else { continue }
            let used = ProcessTree.memory(of: process, limit: entry.limit)
            guard used > entry.limit else { continue }
            watched[worker] = nil
            onExcess(worker, used)
        }
    }
}
