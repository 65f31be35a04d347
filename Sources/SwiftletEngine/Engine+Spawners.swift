// SPDX-License-Identifier: BSD-3-Clause
import Glibc
import SwiftletLaunch
import SwiftletModel
import SwiftletScheduler
import SwiftletTransport

/// The process from which Python workers are forked.
final class ForkServer {
    /// Its number as the guardian knows it; counted down from the top, away from the workers'.
    let id: WorkerID
    let spawner: Spawner
    let outputs: [OutputReader]
    /// The blob with the context in which its children begin.
    private(set) var context: BlobID?
    /// The first blob of the last call that was sent to a child of it.
    private var lastContext: BlobID?

    init(id: WorkerID, spawner: Spawner, outputs: [OutputReader]) {
        self.id = id
        self.spawner = spawner
        self.outputs = outputs
    }

    /// A call in a context was sent to a child. What two calls in a row have, the next is expected to have, too.
    func called(in context: BlobID, _ bytes: [UInt8]?) {
        if let bytes, context == lastContext, context != self.context {
            spawner.prepare(context, bytes)
            self.context = context
        }
        lastContext = context
    }
}

/// Why no fork server can be had.
struct ForkServerFault: Error, CustomStringConvertible {
    let description: String
}

extension Engine {
    /// How many fork servers may die one after the other without having forked anything, until no further one is tried.
    private static let forkServerTries = 3

    /// Who starts processes of workers; a fork server that has died is started again.
    /// - Throws: `SystemError` where there are no descriptors left.
    func spawner(for configuration: EngineConfiguration) throws -> Spawner {
        switch configuration.launch {
        case .program: return guardian
        case .forkServer:
            if let forkServerFault { throw forkServerFault }
            if forkServer == nil { startForkServer() }
            guard let forkServer else { throw SystemError(doing: "start the fork server") }
            return forkServer.spawner
        }
    }

    func startForkServer() {
        guard let configuration, let streams = try? ProcessStreams() else { return }
        forkServersStarted += 1
        let server = ForkServer(
            id: WorkerID(.max - forkServersStarted), spawner: Spawner(descriptor: streams.connection.ours, loop: loop),
            outputs: OutputReader.ofBoth(streams, loop: loop))
        for reader in server.outputs {
            reader.onOutput = { [unowned self] in log.write("fork server: " + String(decoding: $0, as: UTF8.self)) }
        }
        let spawner = server.spawner
        spawner.onForked = { [unowned self, unowned spawner] in forked($0, $1, by: spawner) }
        spawner.onEnded = { [unowned self, unowned spawner] in processEnded($0, $1, by: spawner) }
        spawner.onClose = { [unowned self] in if let reason = $0 { log.write("connection to the fork server: \(reason)") } }
        forkServer = server
        guardian.spawn(
            server.id, arguments: configuration.argv, environment: configuration.environment, directory: configuration.directory,
            socket: streams.connection.theirs, output: streams.output.theirs, errors: streams.errors.theirs)
    }

    func forked(_ id: WorkerID, _ process: pid_t, by spawner: Spawner) {
        log.write("worker \(id.rawValue) is process \(process)")
        if spawner !== guardian { forkServersFailed = 0 }
        workers[id]?.process = process
        if flux != nil { runsInFlux(id) }
        jobProcesses[id]?(nil)
    }

    func processEnded(_ id: WorkerID, _ end: ProcessEnd, by spawner: Spawner) {
        if let worker = workers[id] {
            return gone(worker, memoryReason(worker) ?? endBeforeGreeting(worker, end) ?? endOfLaunched(worker, end))
        }
        if let step = agentSteps[id] { return agentStepEnded(step, end) }
        if let job = jobProcesses.removeValue(forKey: id) { return job(end) }
        if let server = forkServer, server.id == id { forkServerEnded(server, end) }
    }

    /// With the fork server its workers have died: those that had started by SIGKILL, the others were never started.
    private func forkServerEnded(_ server: ForkServer, _ end: ProcessEnd) {
        for output in server.outputs { output.finish() }
        let tail = String(decoding: server.outputs[1].tail, as: UTF8.self)
        let reason = "the fork server \(end)".withLastWords(tail)
        log.write(reason)
        forkServer = nil
        forkServersFailed += 1
        if forkServersFailed == Self.forkServerTries { forkServerFault = ForkServerFault(description: reason) }
        server.spawner.close()
        for worker in workers.values where worker.spawner === server.spawner {
            gone(worker, worker.process == 0 ? .failed(reason) : .signalled(SIGKILL))
        }
    }
}
