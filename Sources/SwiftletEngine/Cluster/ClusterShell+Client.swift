// SPDX-License-Identifier: BSD-3-Clause
import SwiftletCluster
import SwiftletModel
import SwiftletStore
import SwiftletTransport
import SwiftletWire

extension ClusterShell {
    /// A frame of the client's that concerns calls.
    /// - Returns: false where it is none.
    func received(_ header: FrameHeader, _ reader: inout ByteReader) throws -> Bool {
        let task = TaskID(header.id)
        switch FrameType(rawValue: header.type) {
        case .submitEntry: try submit(task, &reader)
        case .cancel: apply(.cancel(task, onlyIfNotStarted: header.flags & 1 != 0))
        case .release: while reader.remaining > 0 { apply(.release(TaskID(try reader.integer()))) }
        case .shutdown: apply(.shutdown(cancelWaiting: header.flags & 1 != 0))
        case .leave: apply(.detach)
        case .waits: apply(.somebodyWaits)
        case .explain:
            let holder = entryOfTask[task].flatMap { entries[$0] }.flatMap { $0.isClaimed ? nil : $0.holder }
            let text = table.explain(task) + (holder.map { ": \($0)" } ?? "")
            engine.client.link.send(.explanation, id: task.rawValue) { $0.append(contentsOf: text.utf8) }
        case .status: sendStatus(header.id)
        case .describe: try describe(header.id, Attributes(&reader))
        case .rendered: try engine.rendered(header, &reader)
        case .submit, .external, .resolve, .resize:
            throw WireError("an engine whose calls are jobs understands no frame of type \(header.type)")
        default: return false
        }
        return true
    }

    private func submit(_ task: TaskID, _ reader: inout ByteReader) throws {
        let call = try EntryCall(&reader)
        guard engine.directives[call.request] != nil, entryOfTask[task] == nil else {
            throw WireError("task \(task.rawValue) cannot be submitted: no such request, or the id is in use")
        }
        let id = entryID(of: call.place)
        entryOfTask[task] = id
        placeOfTask[task] = call.place
        if entries[id] == nil {
            let stored = try engine.storedTask(call, inputs: call.inputs.map { name(of: $0, for: call.place) })
            entries[id] = Entry(
                place: call.place, request: call.request, task: stored, function: call.function, tasks: [task])
        } else {
            entries[id]!.tasks.append(task)
        }
        engine.observe(.submitted, task: task)
        apply(.submit(task, id, request: call.request, inputs: call.inputs))
    }

    /// Says what would be queued for a call, without queueing it.
    private func describe(_ number: UInt64, _ call: Attributes) throws {
        guard let request = call[integer: "request"].map({ RequestID(UInt32(truncatingIfNeeded: $0)) }),
            let directives = engine.directives[request], let directory = call[text: "directory"], let key = call[text: "key"]
        else { throw WireError("DESCRIBE names no call") }
        let jobCall = JobCall(
            key: key, function: call[text: "function"] ?? "", path: "\(directory)/\(key)", command: command + [directory, key],
            tasks: [])
        jobs.describe(JobBatch(request: request, directives: directives, calls: [jobCall], dependencies: [])) {
            [unowned self] text in
            engine.client.link.send(.described, id: number) { $0.append(contentsOf: text.utf8) }
        }
    }

    /// How an entry names another one as its input.
    private func name(of input: TaskID, for place: EntryPlace) -> String {
        guard let source = placeOfTask[input] else { return "" }
        return source.directory == place.directory ? source.key : source.description
    }

    func ended(_ task: TaskID, _ id: EntryID, _ outcome: Outcome, tellClient: Bool) {
        entryOfTask[task] = nil
        entries[id]?.tasks.removeAll { $0 == task }
        let result = resultInHand.flatMap { $0.entry == id ? $0.result : nil }
        engine.observe(.ended, task: task, outcome: outcome)
        var payload = Payload.none.bytes
        switch outcome {
        case .value: payload = result?.payload ?? payload
        case .error:
            payload = result?.payload ?? payload
            errors[task] = payload
        case .inputFailed(let origin): payload = errors[origin] ?? payload
        case .lost, .cancelled, .timeLimit, .refused: break
        }
        let attributes = attributes(of: outcome, result, request: entries[id]?.request)
        if outcome.isCause { causes[task] = Cause(kind: outcome.kind, attributes) }
        guard tellClient else { return }
        engine.deliver(payload, to: engine.client)
        engine.client.link.send(.outcome, id: task.rawValue) { bytes in
            let ran = result?.isHit == false ? result?.header?.provenance : nil
            bytes.append(outcome.kind)
            bytes.append(0)
            bytes.append(integer: UInt16(ran == nil ? 0 : 1))
            bytes.append(integer: UInt32(0))
            bytes.append(integer: UInt32(truncatingIfNeeded: ran?.integer("pid") ?? 0))
            bytes.append(integer: UInt64((ran?.number("start") ?? 0) * 1e9))
            bytes.append(integer: UInt64((ran?.number("duration") ?? 0) * 1e9))
            attributes.write(to: &bytes)
            engine.append(payload, for: engine.client, to: &bytes)
        }
        engine.watchUnread()
    }

    private func attributes(of outcome: Outcome, _ result: Result?, request: RequestID?) -> Attributes {
        var attributes = Attributes()
        switch outcome {
        case .value, .error: break
        case .lost(let reasons):
            attributes[text: "reason"] = reasons.last.map { "\($0)" } ?? ""
            attributes[list: "attempts"] = reasons.map { "\($0)" }
            attributes[integer: "exit_status"] = result?.header?.provenance?.integer("exit_status")
            attributes[integer: "signal"] = result?.header?.provenance?.integer("signal")
        case .cancelled(let origin): attributes[integer: "origin"] = origin.map { Int($0.rawValue) }
        case .inputFailed(let origin):
            attributes[integer: "origin"] = Int(origin.rawValue)
            causes[origin]?.add(to: &attributes)
        case .timeLimit: attributes[number: "limit"] = request.flatMap { engine.directives[$0]?[number: "time_limit"] }
        case .refused(let reason): attributes[text: "reason"] = reason
        }
        attributes[text: "host"] = result?.header?.provenance?.text("host")
        if outcome != .value { attributes[text: "stderr"] = result?.header?.provenance?.text("stderr") }
        return attributes
    }

    private func sendStatus(_ number: UInt64) {
        let counts = table.counts
        var attributes = Attributes()
        attributes[integer: "waiting"] = counts.waiting
        attributes[integer: "ready"] = 0
        attributes[integer: "running"] = counts.running
        attributes[integer: "ended"] = counts.ended
        engine.client.link.send(.statusIs, id: number) { attributes.write(to: &$0) }
    }
}

extension [String: HeaderValue] {
    func integer(_ key: String) -> Int? { if case .integer(let value)? = self[key] { value } else { nil } }
    func text(_ key: String) -> String? { if case .text(let value)? = self[key] { value } else { nil } }
    func number(_ key: String) -> Double? {
        switch self[key] {
        case .number(let value)?: value
        case .integer(let value)?: Double(value)
        default: nil
        }
    }
}
