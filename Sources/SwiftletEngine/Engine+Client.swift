// SPDX-License-Identifier: BSD-3-Clause
import CSwiftlet
import Glibc
import SwiftletLaunch
import SwiftletModel
import SwiftletScheduler
import SwiftletTransport
import SwiftletWire

extension Engine {
    /// What stays unread by the client before nothing new starts, and when starting goes on.
    private static let unreadLimit = 64 << 20
    private static let unreadLow = 16 << 20

    func receivedFromClient(_ header: FrameHeader, _ body: UnsafeRawBufferPointer) throws {
        guard ending == .no else { return }
        var reader = ByteReader(body)
        let task = TaskID(header.id)
        if let cluster, try cluster.received(header, &reader) { return }
        switch FrameType(rawValue: header.type) {
        case .submit: try submit(task, &reader, body)
        case .submitEntry: try submitEntry(task, &reader)
        case .release:
            while reader.remaining > 0 {
                let released = TaskID(try reader.integer())
                callStore?.names[released] = nil
                apply(.release(released))
            }
        case .blob: blobs.add(BlobID(header.id), Array(body))
        case .forget: if blobs.forget(BlobID(header.id)) { forgetEverywhere(BlobID(header.id)) }
        case .request:
            let attributes = try Attributes(&reader)
            let request = ResourceRequest(attributes)
            directives[RequestID(UInt32(truncatingIfNeeded: header.id))] = attributes
            requests[RequestID(UInt32(truncatingIfNeeded: header.id))] = request
            apply(.define(RequestID(UInt32(truncatingIfNeeded: header.id)), request))
        case .groups: try setGroups(Attributes(&reader))
        case .external: apply(.declareExternal(task))
        case .resolve: try resolve(task, &reader)
        case .cancel: apply(.cancel(task, onlyIfNotStarted: header.flags & 1 != 0))
        case .resize: apply(.resize(Int(clamping: header.id)))
        case .shutdown: apply(.shutdown(cancelWaiting: header.flags & 1 != 0))
        case .outputAck: outputAcknowledged(Int(clamping: header.id))
        case .explain: explain(task)
        case .status: sendStatus(header.id)
        case .dryRun: sendDryRun(header.id)
        case .rendered: try rendered(header, &reader)
        case .fluxSubmitted: try submittedByClient(header.id, try Attributes(&reader))
        case .subscribe: isSubscribed = header.id != 0
        case .segment, .seal, .free: try segmentFrame(header, &reader, from: client)
        case .hello:
            guard header.id == protocolVersion else {
                return fail(
                    "the client speaks version \(header.id) of the protocol, this engine (\(productVersion)) version "
                        + "\(protocolVersion): install matching versions of the package and its engine")
            }
        case .configure: try configure(try Attributes(&reader))
        case .goodbye: clientIsGone(reason: "the client said goodbye")
        default: throw WireError("unexpected frame of type \(header.type) from the client")
        }
    }

    private func configure(_ attributes: Attributes) throws {
        guard configuration == nil else { throw WireError("CONFIGURE came twice") }
        let configuration = try EngineConfiguration(attributes)
        self.configuration = configuration
        if let system = configuration.jobSystem { return try startCluster(system, configuration) }
        let request = configuration.initRequest.flatMap { requests[$0] } ?? ResourceRequest()
        scheduler = Scheduler(
            mode: configuration.isWarm ? .warm(count: configuration.maxWorkers ?? 1, request: request) : .fresh,
            capacity: configuration.capacity, restartLimit: configuration.restartLimit)
        if let settings = configuration.flux { connectToFlux(settings, configuration) }
        for blob in configuration.initBlobs { blobs.use(blob) }
        for (id, request) in requests { apply(.define(id, request)) }
        if configuration.usesAgents {
            if let settings = configuration.agentJobs {
                try startAgentJobs(settings, configuration)
            } else {
                startAgents(on: Set(configuration.inventory.nodes.indices))
            }
        } else if configuration.launch == .forkServer, configuration.nodes == nil, flux == nil {
            startForkServer()
        }
        startPool()
    }

    private func submit(_ task: TaskID, _ reader: inout ByteReader, _ body: UnsafeRawBufferPointer) throws {
        let request = RequestID(try reader.integer())
        let start = reader.offset
        let layout = try CallLayout(&reader)
        var parts: [SwiftletWire.Payload.SegmentPart] = []
        try Payload.scan(&reader) { parts.append($0) }
        guard scheduler != nil, requests[request] != nil, tasks[task] == nil else {
            throw WireError("task \(task.rawValue) cannot be submitted: no such request, no CONFIGURE, or the id is in use")
        }
        for part in parts { segments.take(part) }
        for blob in layout.blobs { blobs.use(blob) }
        let call = Array(body[start...])
        inlineBytes += UInt64(call.count)
        argumentBytes += UInt64(call.count)
        tasks[task] = TaskPayloads(call: call, request: request)
        observe(.submitted, task: task)
        apply(.submit(task, request: request, inputs: Array(layout.inputs)))
        adjustBudget()
    }

    private func resolve(_ task: TaskID, _ reader: inout ByteReader) throws {
        let kind: UInt8 = try reader.integer()
        payloadInHand = (task, try take(reader.rest()))
        apply(.resolveExternal(task, kind == 0 ? .value : kind == 1 ? .error : .cancelled(origin: nil)))
    }

    func segmentFrame(_ header: FrameHeader, _ reader: inout ByteReader, from peer: Peer) throws {
        switch FrameType(rawValue: header.type) {
        case .segment:
            let descriptor = try peer.link.takeDescriptors(1)[0]
            let size: UInt64 = try reader.integer()
            try segments.announce(
                header.id, descriptor: descriptor, size: size, inMemory: header.flags & 2 == 0, by: peer)
        case .seal: segments.seal(header.id, peers: peers)
        default:
            while reader.remaining > 0 {
                let segment: UInt64 = try reader.integer()
                segments.free(segment, count: Int(try reader.integer(UInt32.self)), by: peer, peers: peers)
            }
        }
        adjustBudget()
    }

    /// The client reads slower than we write: nothing new starts until it has caught up.
    func watchUnread() {
        if !isPaused && client.link.unsentBytes > Self.unreadLimit {
            isPaused = true
            apply(.setPaused(true))
        }
    }

    func clientHasRead() {
        if isPaused && client.link.unsentBytes < Self.unreadLow {
            isPaused = false
            apply(.setPaused(false))
        }
        if ending == .goodbye && client.link.unsentBytes == 0 { shutDown() }
    }
}
