// SPDX-License-Identifier: BSD-3-Clause
import CSwiftlet
import Glibc
import SwiftletLaunch
import SwiftletModel
import SwiftletScheduler
import SwiftletTransport
import SwiftletWire

/// How long the stages of ending a process last, in nanoseconds.
enum Grace {
    /// A worker that was asked to exit, or a fresh one that has delivered its result, before SIGTERM.
    static let finish: UInt64 = 10_000_000_000
    /// Between SIGTERM and SIGKILL.
    static let terminate: UInt64 = 5_000_000_000
    /// After SIGKILL, before the process is named and left.
    static let kill: UInt64 = 10_000_000_000
    /// For everything, when the client is gone.
    static let orphaned: UInt64 = 1_000_000_000
}

extension Engine {
    func start(_ id: WorkerID, index: Int, request: ResourceRequest, slot: Slot) {
        guard let configuration else { return }
        let settings = SlotVariables(
            slot, request: request, gpuVariable: configuration.gpuVariable, name: "\(getpid())-\(id.rawValue)",
            takesAllGPUs: configuration.launch == .program && flux == nil && !isStep(request, slot))
        if flux != nil { return startInFlux(id, index: index, request: request, slot: slot, settings) }
        if configuration.nodes != nil {
            return startElsewhere(id, index: index, request: request, slot: slot, settings)
        }
        if request.isGroup, configuration.launch == .forkServer {
            return startGroup(id, index: index, request: request, slot: slot, settings)
        }
        do {
            if request.isCommand { return try startCommand(id, request: request, slot: slot, settings) }
            let spawner = try spawner(for: configuration)
            let streams = try ProcessStreams()
            let worker = Worker(
                id: id, peer: makePeer(SocketLink(descriptor: streams.connection.ours, loop: loop)),
                outputs: OutputReader.ofBoth(streams, loop: loop), spawner: spawner, isFresh: !configuration.isWarm, slot: slot)
            if worker.isFresh, let context = forkServer?.context { worker.peer.blobs.insert(context) }
            introduce(worker, index: index)
            announce(worker, settings)
            let isProgram = configuration.launch == .program
            let variables =
                isProgram
                ? settings.variables + SlotVariables.threads(request, in: configuration.environment) + programVariables(request)
                : []
            spawner.spawn(
                id, arguments: isProgram ? configuration.argv : [],
                environment: isProgram ? environment(configuration.environment, with: variables) : [],
                directory: isProgram ? configuration.directory : nil,
                variables: isProgram ? [] : settings.variables, cores: settings.cores, forks: isProgram && worker.isFresh,
                origin: isProgram ? 0 : worker.peer.origin, socket: streams.connection.theirs, output: streams.output.theirs,
                errors: streams.errors.theirs)
        } catch {
            apply(.workerEnded(id, .failed("\(error)")))
        }
    }

    /// From now on the worker is heard, and finds the first frames when it reads.
    func introduce(_ worker: Worker, index: Int) {
        // Said before it can say so itself: a fresh worker is sent its call at once.
        if configuration?.launch == .program { worker.peer.takesSegments = false }
        connect(worker)
        workers[worker.id] = worker
        watchMemory(of: worker)
        awaitGreeting(of: worker)
        sendHello(to: worker.peer)
        if !worker.isFresh { sendInit(to: worker, index: index, blobs: configuration?.initBlobs ?? []) }
    }

    private func connect(_ worker: Worker) {
        worker.peer.link.onFrame = { [unowned self, unowned worker] in try received($0, $1, from: worker) }
        worker.peer.link.onClose = { [unowned self, unowned worker] in linkClosed(worker, reason: $0) }
        for (reader, stream) in zip(worker.outputs, [OutputReader.Stream.output, .errors]) {
            reader.onOutput = { [unowned self, unowned worker] in pass($0, of: worker.current, stream) }
            if outputIsPaused { reader.setPaused(true) }
        }
    }

    private func sendInit(to worker: Worker, index: Int, blobs ids: [BlobID]) {
        sendBlobs(ids, to: worker.peer)
        worker.peer.link.send(.initialize, id: UInt64(index)) { bytes in
            bytes.append(integer: UInt16(ids.count))
            for id in ids { bytes.append(integer: id.rawValue) }
        }
    }

    private func sendBlobs(_ ids: some Sequence<BlobID>, to peer: Peer) {
        for id in ids where peer.blobs.insert(id).inserted {
            guard let bytes = blobs[id] else { continue }
            peer.link.send(.blob, id: id.rawValue) { $0.append(contentsOf: bytes) }
        }
    }

    /// Sends a call, with the values of its inputs from the bytes at hand.
    func send(_ task: TaskID, to id: WorkerID, attempt: Int) {
        guard let worker = workers[id], let payloads = tasks[task], !payloads.call.isEmpty else { return }
        worker.isUp = true
        (worker.lastAssigned, worker.assignedInTurn) = (task, loop.turn)
        payloads.call.withUnsafeBytes { raw in
            var reader = ByteReader(raw)
            guard let layout = try? CallLayout(&reader) else { return }
            let payload = UnsafeRawBufferPointer(rebasing: raw[layout.payloadOffset...])
            if worker.command != nil { return launch(layout, payload, on: worker) }
            sendBlobs(layout.blobs, to: worker.peer)
            if worker.isFresh, let forkServer, worker.spawner === forkServer.spawner {
                for context in layout.blobs.prefix(1) { forkServer.called(in: context, blobs[context]) }
            }
            deliver(payload, to: worker.peer)
            for input in layout.inputs { deliver(tasks[input]?.value ?? [], to: worker.peer) }
            worker.peer.link.send(.call, id: task.rawValue, flags: worker.isFresh ? 1 : 0) { bytes in
                bytes.append(integer: UInt32(attempt))
                bytes.append(integer: UInt16(layout.blobCount))
                bytes.append(integer: UInt16(layout.inputCount))
                for blob in layout.blobs { bytes.append(integer: blob.rawValue) }
                append(payload, for: worker.peer, to: &bytes)
                for input in layout.inputs { append(tasks[input]?.value ?? Payload.none.bytes, for: worker.peer, to: &bytes) }
                if let limit = requests[payloads.request]?.timeLimit {
                    var attributes = Attributes()
                    attributes[integer: "deadline"] = Int(clamping: sl_unix_ns() + limit)
                    attributes.write(to: &bytes)
                } else {
                    bytes.append(integer: UInt16(0))
                }
            }
        }
    }

    private func received(_ header: FrameHeader, _ body: UnsafeRawBufferPointer, from worker: Worker) throws {
        var reader = ByteReader(body)
        switch FrameType(rawValue: header.type) {
        case .result:
            let kind: UInt8 = try reader.integer()
            // Flag 1: it ends by itself after this call, and takes no other one.
            if header.flags & 1 != 0 { apply(.workerLeaves(worker.id)) }
            // Flag 2: by its own clock the call took less than 0.2 ms.
            resultArrived(
                TaskID(header.id), from: worker, failed: kind != 0, isShort: header.flags & 2 != 0,
                payload: try take(reader.rest()))
        case .recalled: recallAnswered(TaskID(header.id), by: worker)
        case .ready:
            worker.isUp = true
            if worker.stage == .running { loop.cancel(timer: worker.stageTimer) }
            observe(.workerUp, worker: worker.id)
            apply(.workerReady(worker.id, takesAhead: !(worker.peer.link is SecureLink)))
        case .initFailed:
            try cannotPrepare(worker, &reader)
        case .hello:
            guard header.id == protocolVersion else {
                throw WireError("the worker speaks version \(header.id) of the protocol, the engine \(protocolVersion)")
            }
            let attributes = try Attributes(&reader)
            if attributes[integer: "segments"] == 0 { worker.peer.takesSegments = false }
            // It may be heard, and its result too, before the one that forked it is.
            if worker.process == 0, let process = attributes[integer: "pid"] { worker.process = pid_t(clamping: process) }
            worker.hasGreeted = true
            awaitPreparation(of: worker)
            if flux != nil { runsInFlux(worker.id) }
            worker.step = attributes[text: "step"]
        case .segment, .seal, .free: try segmentFrame(header, &reader, from: worker.peer)
        case .board: try takeBoard(of: worker)
        case .toRanks:
            worker.ranks?.pass(body, to: Int(clamping: header.id), all: header.flags & RankSwitch.all != 0)
        default: throw WireError("unexpected frame of type \(header.type) from a worker")
        }
    }

    private func takeBoard(of worker: Worker) throws {
        let descriptor = try worker.peer.link.takeDescriptors(1)[0]
        defer { closeDescriptor(descriptor) }
        guard let board = Board(descriptor: descriptor) else { throw WireError("the worker's board is none") }
        (worker.peer.link as? SocketLink)?.attach(board)
    }

    /// INIT_FAILED: with the error of the init function, or in words why the worker is none.
    private func cannotPrepare(_ worker: Worker, _ reader: inout ByteReader) throws {
        let bytes = reader.rest()
        var payload = ByteReader(bytes)
        try Payload.scan(&payload) { _ in }
        let error = UnsafeRawBufferPointer(rebasing: bytes[..<payload.offset])
        let reason = payload.remaining > 0 ? try Attributes(&payload)[text: "reason"] : nil
        if reason == nil { initFailure = try take(error) }
        apply(.workerCannotPrepare(worker.id, reason: reason ?? "\(preparation) failed"))
        if worker.isFresh { initFailure = nil }
    }

    /// What a worker does before its first call, in the client's words.
    private var preparation: String { configuration?.launch == .program ? "prepare()" : "the init function" }

    /// A worker that is the client's own program may never enter worker mode.
    private func awaitGreeting(of worker: Worker) {
        guard let workerProgram, configuration?.launch == .program, !worker.isStep, flux == nil else { return }
        worker.stageTimer = loop.schedule(after: workerProgram.startLimit) { [unowned self, weak worker] in
            guard let worker, workers[worker.id] === worker, !worker.hasGreeted else { return }
            worker.isLate = true
            worker.spawner.signal(worker.id, SIGKILL)
        }
    }

    /// Its preparation may take forever.
    private func awaitPreparation(of worker: Worker) {
        guard worker.stage == .running, configuration?.launch == .program else { return }
        loop.cancel(timer: worker.stageTimer)
        guard !worker.isFresh, let limit = configuration?.prepareLimit else { return }
        worker.stageTimer = loop.schedule(after: limit) { [unowned self, weak worker] in
            guard let worker, workers[worker.id] === worker, worker.stage == .running else { return }
            terminate(worker)
            apply(
                .workerCannotPrepare(
                    worker.id,
                    reason: "\(preparation) has taken longer than \(Double(limit) / 1e9) s: allow it more with "
                        + ".warm(preparing:within:)"))
        }
    }

    /// How the process of a worker ended that has not said anything: that of a program which is none.
    func endBeforeGreeting(_ worker: Worker, _ end: ProcessEnd) -> ProcessEnd? {
        guard let workerProgram, configuration?.launch == .program, !worker.isStep, worker.command == nil, flux == nil else {
            return nil
        }
        if !worker.hasGreeted { worker.peer.link.receiveEverything() }
        guard !worker.hasGreeted else { return nil }
        if case .failed = end { return nil }
        return .failed(worker.isLate ? workerProgram.isLate : workerProgram.hasEnded("\(end)"))
    }

    private func resultArrived(_ task: TaskID, from worker: Worker, failed: Bool, isShort: Bool, payload: [UInt8]) {
        for output in worker.outputs { output.flush() }
        answered(task, by: worker)
        payloadInHand = (task, payload)
        apply(.taskEnded(task, worker.id, failed: failed, isShort: isShort))
        if worker.isFresh && worker.stage == .running {
            // Its threads and exit handlers may take their time, but not for ever.
            advance(worker, to: .finishing, after: Grace.finish)
        }
    }

    /// Ends a worker's process by stages.
    func end(_ id: WorkerID, politely: Bool) {
        guard let worker = workers[id] else { return }
        // What still waits for resources has nothing to finish.
        if politely, flux?.isWaiting(id) != true {
            worker.peer.link.send(.end, id: 0)
            advance(worker, to: .finishing, after: Grace.finish)
        } else {
            terminate(worker)
        }
    }

    private func advance(_ worker: Worker, to stage: Worker.Stage, after grace: UInt64) {
        loop.cancel(timer: worker.stageTimer)
        worker.stage = stage
        worker.stageTimer = loop.schedule(after: grace) { [unowned self, weak worker] in
            guard let worker, workers[worker.id] === worker else { return }
            switch worker.stage {
            case .running: break
            case .finishing:
                note("worker \(worker.id.rawValue) (process \(worker.process)) does not exit; it is ended")
                terminate(worker)
            case .terminated:
                worker.spawner.signal(worker.id, SIGKILL)
                advance(worker, to: .killed, after: Grace.kill)
            case .killed:
                note("process \(worker.process) survives SIGKILL and is left behind")
                gone(worker, .failed("its process \(worker.process) survives SIGKILL"))
            }
        }
    }

    func terminate(_ worker: Worker) {
        guard worker.stage == .running || worker.stage == .finishing else { return }
        worker.spawner.signal(worker.id, SIGTERM)
        advance(worker, to: .terminated, after: Grace.terminate)
    }

    /// Its connection is closed. Its process should be ending; where it is not, it is ended.
    private func linkClosed(_ worker: Worker, reason: String?) {
        if let reason { log.write("connection to worker \(worker.id.rawValue): \(reason)") }
        if let end = worker.end { return gone(worker, end) }
        guard worker.stage == .running else { return }
        // The launcher of ranks ends the others when one has died, and says how.
        loop.schedule(after: worker.ranks == nil ? Grace.orphaned : Grace.finish) { [unowned self, weak worker] in
            if let worker, workers[worker.id] === worker { terminate(worker) }
        }
    }

    /// Tells the client what a warm worker holds: once, not with each of its many outcomes.
    func announce(_ worker: Worker, _ settings: SlotVariables) {
        guard !worker.isFresh else {
            worker.slotWords = settings.slot
            return
        }
        client.link.send(.worker, id: UInt64(worker.id.rawValue)) { bytes in
            var attributes = Attributes()
            attributes[text: "slot"] = settings.slot
            attributes.write(to: &bytes)
        }
    }

    /// Its process is gone: hear what it said last, then tell the scheduler.
    func gone(_ worker: Worker, _ end: ProcessEnd) {
        worker.peer.link.receiveEverything()
        if stillSpeaks(worker, end) { return }
        if let ticket = worker.ticket { listener?.withdraw(ticket.id) }
        if let ranks = worker.ranks {
            listener?.withdraw(ranks.ticket.id)
            ranks.close()
        }
        for output in worker.outputs { output.finish() }
        loop.cancel(timer: worker.stageTimer)
        if worker.command != nil { reportCommand(worker, end) }
        writeOutcome(of: worker.id, end)
        worker.peer.link.close()
        peers[worker.peer.origin] = nil
        segments.peerIsGone(worker.peer.origin, peers: peers)
        observe(.workerDown, worker: worker.id, end: end)
        apply(.workerEnded(worker.id, wordsOfUnready(worker, end) ?? end))
        workers[worker.id] = nil
        workerIsGoneInFlux(worker.id)
    }

    /// Why a warm worker that never was ready ended, in its own words: calls that end because of it have no other worker's.
    private func wordsOfUnready(_ worker: Worker, _ end: ProcessEnd) -> ProcessEnd? {
        guard !worker.isFresh, !worker.isUp, worker.command == nil else { return nil }
        switch end {
        case .exited, .signalled:
            let tail = worker.errorTail
            return tail.isEmpty ? nil : .failed("\(end)".withLastWords(tail))
        case .memoryLimit, .failed, .taken: return nil
        }
    }
}
