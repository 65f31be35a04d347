// SPDX-License-Identifier: BSD-3-Clause
import CSwiftlet
import Glibc
import SwiftletFlux
import SwiftletTransport

/// A broker of one client that speaks Flux's frames over a real socket and does what its test says. It serves on the same loop.
final class StandInBroker: EventHandler {
    let path: String
    /// Answers a request; nil: no answer yet. Asked before the usual answers.
    var answer: (FluxMessage, JSON) -> FluxMessage? = { _, _ in nil }
    /// Topics in the order in which they were asked for.
    private(set) var asked: [String] = []
    private(set) var submitted: [String] = []
    private(set) var raised: [JSON] = []
    /// The first byte of each connection: 0 lets in, else an errno.
    var verdict: UInt8 = 0
    var owner = "\(getuid())"

    private let loop: EventLoop
    private let listener: Int32
    private var listenerToken: UInt64 = 0
    private var client: Int32 = -1
    private var clientToken: UInt64 = 0
    private var inbox = FluxInbox()
    private var journal: FluxMessage?
    private var watches: [Int64: FluxMessage] = [:]
    private var nextID: Int64 = 100

    init(loop: EventLoop) {
        self.loop = loop
        path = "/tmp/swiftlet-flux-\(getpid())-\(sl_monotonic_ns())"
        listener = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: Array(path.utf8)) }
        let bound = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(listener, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        precondition(bound == 0 && listen(listener, 4) == 0, "the stand-in broker has no socket")
        listenerToken = loop.register(listener, for: .read, handler: self)
    }

    deinit {
        die()
        closeDescriptor(listener)
        unlink(path)
    }

    func ready(_ readiness: Readiness) {
        if client < 0 {
            client = accept(listener, nil, nil)
            loop.unregister(listenerToken)
            clientToken = loop.register(client, for: .read, handler: self)
            return write([verdict])
        }
        var buffer = [UInt8](repeating: 0, count: 65536)
        let count = read(client, &buffer, buffer.count)
        guard count > 0 else { return die() }
        inbox.append(buffer[..<count])
        while client >= 0, let request = try? inbox.next() { serve(request) }
    }

    /// Closes the connection, as a broker does that is killed.
    func die() {
        guard client >= 0 else { return }
        loop.unregister(clientToken)
        closeDescriptor(client)
        client = -1
    }

    func write(_ bytes: [UInt8]) {
        guard client >= 0 else { return }
        _ = bytes.withUnsafeBytes { send(client, $0.baseAddress!, $0.count, Int32(MSG_NOSIGNAL)) }
    }

    private func serve(_ request: FluxMessage) {
        asked.append(request.topic)
        let payload = request.payload.flatMap { try? JSON(parsing: $0) } ?? .null
        if let message = answer(request, payload) { return write(message.bytes) }
        switch request.topic {
        case "state-machine.wait": reply(request, nil)
        case "attr.get": reply(request, ["value": .string(payload["name"] == "security.owner" ? owner : "0.88.0")])
        case "job-manager.events-journal":
            guard owner == "\(getuid())" else { return refuse(request, 1, "not yours") }
            journal = request
            reply(request, ["id": -1, "events": []])
        case "sched.resource-status":
            let four = #"{"version":1,"execution":{"R_lite":[{"rank":"0-1","children":{"core":"0-1"}}],"nodelist":["n[0-1]"]}}"#
            let one = #"{"version":1,"execution":{"R_lite":[{"rank":"1","children":{"core":"0"}}],"nodelist":["n1"]}}"#
            guard let all = try? JSON(parsing: four), let allocated = try? JSON(parsing: one) else { return }
            reply(request, ["all": all, "allocated": allocated, "down": .null])
        case "job-ingest.submit":
            submitted.append(payload["J"]?.string ?? "")
            nextID += 1
            reply(request, ["id": .integer(nextID)])
        case "job-info.eventlog-watch": watches[payload["id"]?.integer ?? 0] = request
        case "job-manager.raise":
            raised.append(payload)
            reply(request, nil)
        default: refuse(request, 38, "No service matching \(request.topic) is registered")
        }
    }

    func reply(_ request: FluxMessage, _ payload: JSON?) { write(FluxMessage.response(to: request, payload).bytes) }

    func refuse(_ request: FluxMessage, _ code: UInt32, _ text: String) {
        var message = FluxMessage.response(to: request, .null, error: code)
        message.payload = Array(text.utf8)
        write(message.bytes)
    }

    /// Pushes the lines of a recorded log as events of a job: into the journal, or to those who watch that job.
    func push(_ log: String, for id: Int64) {
        let events = log.split(separator: "\n").compactMap { try? JSON(parsing: String($0)) }
        if let journal { reply(journal, ["id": .integer(id), "events": .array(events)]) }
        if let watch = watches[id] {
            for event in events { reply(watch, ["event": .string(event.text)]) }
            write(FluxMessage.response(to: watch, nil, error: 61).bytes)
        }
    }
}
