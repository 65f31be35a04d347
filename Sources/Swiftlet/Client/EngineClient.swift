// SPDX-License-Identifier: BSD-3-Clause
import Glibc
import SwiftletEngine
import SwiftletModel
import SwiftletTransport
import SwiftletWire
import Synchronization

/// The program's end of the conversation with the engine inside it.
final class EngineClient: Sendable {
    private struct Names {
        /// Blobs by what they say: names of types, settings of calls.
        var blobs: [[UInt8]: UInt64] = [:]
        var types: [ObjectIdentifier: UInt64] = [:]
        var requests: [RequestKey: UInt32] = [:]
        /// The blob of what all external programs of this executor are started with.
        var surroundings: UInt64?
    }

    private struct RequestKey: Hashable {
        let resources: ResourceRequest
        let isCommand: Bool
    }

    private let calls: CallTable
    private let engine: InProcessEngine
    private let names = Mutex(Names())
    /// Keys of the calls that have entries in the cache directory, and may be inputs of others.
    private let entries = Mutex<[TaskID: String]>([:])
    let plan: ExecutorPlan
    var configuration: ExecutorConfiguration { plan.configuration }

    /// - Throws: ``TaskError`` (`refused`) where the workers' program cannot be read, or what they are to prepare cannot be encoded.
    init(_ plan: ExecutorPlan) throws(TaskError) {
        self.plan = plan
        let configuration = plan.configuration
        let calls = CallTable(observers: configuration.observers)
        self.calls = calls
        engine = InProcessEngine(
            guardianProgram: configuration.program, guardianArguments: [CommandLine.arguments[0], ProcessRole.guardian],
            workers: WorkerProgram(
                name: configuration.program ?? CommandLine.arguments[0], startLimit: configuration.startLimit.nanoseconds),
            log: getenv("SWIFTLET_LOG").map { String(cString: $0) },
            received: { calls.received($0) }, ended: { calls.engineEnded($0) })
        calls.acknowledgeOutput(through: engine)
        let (uri, clientsEngine) = (plan.flux?.uri, engine)
        calls.onSubmission.withLock { $0 = { FluxSubmitter.submit($0, $1, uri: uri, through: clientsEngine) } }
        var hello = Attributes()
        hello[text: "role"] = "client"
        engine.send { frames in frames.append(frame: .hello, id: protocolVersion) { hello.write(to: &$0) } }
        do { try configure() } catch {
            engine.send { $0.append(frame: .goodbye, id: 0) }
            throw error
        }
    }

    private func configure() throws(TaskError) {
        let request = requestID(configuration.resources)
        var attributes = try plan.attributes()
        attributes[integer: "init_request"] = Int(request)
        if case .some(let preparation) = configuration.mode.preparation {
            let (name, bytes) = try preparation()
            let blobs = [blob(Array(name.utf8)), blob(bytes)]
            var ids: [UInt8] = []
            for blob in blobs { ids.append(integer: blob) }
            attributes[bytes: "init_blobs"] = ids
        }
        engine.send { frames in frames.append(frame: .configure, id: 0) { attributes.write(to: &$0) } }
    }

    /// Queues a call.
    /// - Throws: ``TaskError`` for what can be known to be wrong now.
    func submit<T: RemoteTask>(
        _ task: T, resources: ResourceRequest, after others: [PendingCall] = [], cacheKey: CacheKey? = nil
    ) throws(TaskError) -> PendingCall {
        let command = try (task as? Command)?.inAbsoluteDirectory()
        try command?.validate()
        let collector = InputCollector()
        let startsCommand = command != nil && !plan.needsWorkers
        let type = startsCommand ? 0 : try blob(ofType: T.self)
        let arguments =
            startsCommand && cacheKey == nil ? [] : try TaskCoding.encode(command.flatMap { $0 as? T } ?? task, inputs: collector)
        let entry = try key(
            cacheKey, of: T.self, arguments, collector.calls,
            ranks: "\(resources.cores) \(task is any RanksTask ? "all" : "first")")
        if startsCommand, let command {
            var call: [UInt8] = []
            try plan.check(command, resources)
            command.attributes(in: resources.workingDirectory).write(to: &call)
            return try submit(
                call, blobs: [surroundings()], inputs: others, request: requestID(resources, isCommand: true),
                what: command.program, entry: entry)
        }
        var blobs = [type]
        if plan.isCluster {
            // As jobs are told: the directory, then what to run.
            blobs = [blob(Array((resources.workingDirectory ?? plan.directory ?? "").utf8)), type]
        } else if let directory = resources.workingDirectory {
            blobs.append(blob(Array(directory.utf8)))
        }
        return try submit(
            arguments, blobs: blobs, inputs: collector.calls + others, request: requestID(resources), what: "\(T.self)",
            entry: entry)
    }

    /// The key of a call's entry; nil where it has none.
    private func key(
        _ cacheKey: CacheKey?, of type: Any.Type, _ arguments: [UInt8], _ inputs: [PendingCall], ranks: @autoclosure () -> String
    ) throws(TaskError) -> String? {
        guard let cacheKey else {
            return plan.isCluster ? "unnamed-\(String(UInt64.random(in: .min ... .max), radix: 36))" : nil
        }
        guard plan.cacheDirectory != nil else {
            throw TaskError(.refused, "\(type) has a cacheKey, but the executor no cacheDirectory")
        }
        var keys: [String] = []
        for input in inputs {
            guard let key = entries.withLock({ $0[input.task] }) else {
                throw TaskError(
                    .refused,
                    "an input of \(type) has no cacheKey, so that \(type) can have none: what depends on it is not known")
            }
            keys.append(key)
        }
        return try cacheKey.entry(arguments: arguments, inputs: keys, ranks: ranks())
    }

    private func submit(
        _ arguments: [UInt8], blobs: [UInt64], inputs: [PendingCall], request: UInt32, what: String, entry: String?
    ) throws(TaskError) -> PendingCall {
        for input in inputs where input.client !== self {
            throw TaskError(.refused, "an input of \(what) is a task of another executor: await its value, and pass that")
        }
        guard let (call, isOnly) = calls.add(what, { PendingCall($0, client: self) }) else { throw calls.refusal }
        if let entry { entries.withLock { $0[call.task] = entry } }
        // One call after the other: waking the engine's thread would take longer than what it does. Of many, it does its part beside.
        engine.send(isOnly ? .byCaller : .normal) { frames in
            frames.append(frame: entry == nil ? .submit : .submitEntry, id: call.task.rawValue) { bytes in
                if let entry {
                    for text in [plan.cacheDirectory ?? "", entry, what] {
                        bytes.append(integer: UInt16(text.utf8.count))
                        bytes.append(contentsOf: text.utf8)
                    }
                }
                bytes.append(integer: request)
                bytes.append(integer: UInt16(blobs.count))
                bytes.append(integer: UInt16(inputs.count))
                for blob in blobs { bytes.append(integer: blob) }
                for input in inputs { bytes.append(integer: input.task.rawValue) }
                Payload.append(inline: arguments, to: &bytes)
            }
        }
        return call
    }

    func cancel(_ task: TaskID) {
        calls.forget(task)
        engine.send { $0.append(frame: .cancel, id: task.rawValue) }
    }

    /// - Parameter isSmall: there is little that the engine keeps for it, so that there is no hurry.
    func release(_ task: TaskID, isSmall: Bool) {
        if plan.cacheDirectory != nil { entries.withLock { $0[task] = nil } }
        engine.send(isSmall ? .none : .normal) { $0.append(frame: .release, id: 0) { $0.append(integer: task.rawValue) } }
    }

    func cancelEverything() { for call in calls.pending { call.cancel() } }

    /// Has every job queued that can be; then the engine goes. How many calls are not queued.
    func leave() async throws(TaskError) -> Int {
        guard plan.isCluster else {
            throw TaskError(.refused, "only an executor whose tasks are jobs can be left: .slurmCluster, .fluxCluster")
        }
        let left = await calls.left { engine.send { $0.append(frame: .leave, id: 0) } }
        guard let left else { throw TaskError(.engineEnded, "the engine ended before everything was queued") }
        return left
    }

    /// Returns when the engine and everything it started are gone.
    func shutDown(cancelWaiting: Bool) async {
        calls.close()
        engine.send { $0.append(frame: .shutdown, id: 0, flags: cancelWaiting ? 1 : 0) }
        await calls.end()
    }

    // MARK: what the engine has been told

    private func surroundings() -> UInt64 {
        if let known = names.withLock({ $0.surroundings }) { return known }
        var attributes = Attributes()
        attributes[list: "env"] = configuration.variables
        attributes[text: "cwd"] = plan.directory
        var bytes: [UInt8] = []
        attributes.write(to: &bytes)
        let id = blob(bytes)
        names.withLock { $0.surroundings = id }
        return id
    }

    private func blob(ofType type: any RemoteTask.Type) throws(TaskError) -> UInt64 {
        if let known = names.withLock({ $0.types[ObjectIdentifier(type)] }) { return known }
        let id = blob(Array(try TypeName.require(type).utf8))
        names.withLock { $0.types[ObjectIdentifier(type)] = id }
        return id
    }

    /// The engine is told while the lock is held: nobody can name the blob before it knows it.
    private func blob(_ bytes: [UInt8]) -> UInt64 {
        names.withLock { names in
            if let known = names.blobs[bytes] { return known }
            let id = UInt64(names.blobs.count + 1)
            names.blobs[bytes] = id
            engine.send { $0.append(frame: .blob, id: id) { $0.append(contentsOf: bytes) } }
            return id
        }
    }

    private func requestID(_ request: ResourceRequest, isCommand: Bool = false) -> UInt32 {
        let key = RequestKey(resources: request, isCommand: isCommand)
        return names.withLock { names in
            if let known = names.requests[key] { return known }
            let id = UInt32(names.requests.count + 1)
            names.requests[key] = id
            let attributes = plan.attributes(of: request, isCommand: isCommand)
            engine.send { $0.append(frame: .request, id: UInt64(id)) { attributes.write(to: &$0) } }
            return id
        }
    }
}
