// SPDX-License-Identifier: BSD-3-Clause
import SwiftletTransport
import SwiftletWire

/// A worker on an agent's node: its three streams where they are relayed, and its end, which is told when these are over.
final class AgentWorker {
    let id: UInt32
    let spawner: Spawner
    /// Wait status and peak memory, once the process is gone.
    private var exit: (status: Int32, peak: UInt64)?
    private var streams: [AgentStream] = []
    private let engine: Link
    /// Called when its end has been told.
    private let onGone: (AgentWorker) -> Void

    /// - Parameter descriptors: our ends of its connection, its output and its error output; none: the engine has them.
    init(
        id: UInt32, spawner: Spawner, descriptors: [Int32], engine: Link, loop: EventLoop, onGone: @escaping (AgentWorker) -> Void
    ) {
        self.id = id
        self.spawner = spawner
        self.engine = engine
        self.onGone = onGone
        for (kind, descriptor) in zip([RelayStream.connection, .output, .errors], descriptors) {
            streams.append(
                AgentStream(kind, of: id, descriptor: descriptor, engine: engine, loop: loop) { [unowned self] in tellEnd() })
        }
    }

    /// nil: it is not relayed.
    subscript(stream: RelayStream) -> AgentStream? { streams.isEmpty ? nil : streams[Int(stream.rawValue)] }

    /// Its process is gone, with all it left behind. What it said before is passed on first.
    func ended(status: Int32, peak: UInt64) {
        exit = (status, peak)
        tellEnd()
    }

    private func tellEnd() {
        guard let exit, streams.allSatisfy(\.isOver) else { return }
        self.exit = nil
        engine.send(.exited, id: UInt64(id)) {
            $0.append(integer: UInt32(bitPattern: exit.status))
            $0.append(integer: exit.peak)
        }
        onGone(self)
    }

    /// It could not be started.
    func failed(_ reason: String) {
        for stream in streams { stream.close() }
        engine.send(.spawnFailed, id: UInt64(id)) { $0.append(contentsOf: reason.utf8) }
        onGone(self)
    }
}
