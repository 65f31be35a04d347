// SPDX-License-Identifier: BSD-3-Clause
import Glibc
import SwiftletEngine
import SwiftletTransport
import SwiftletWire
import Synchronization

/// The program's end of the conversation with the engine inside it.
final class EngineClient: Sendable {
    private struct State {
        var nextTask: UInt64 = 1
        var pending: [UInt64: PendingCall] = [:]
        var types: [String: UInt64] = [:]
        var hasEnded = false
        var waitingForEnd: [CheckedContinuation<Void, Never>] = []
    }

    private let state = Mutex(State())
    private let engine = Mutex<InProcessEngine?>(nil)
    private let outputs = Mutex<[UInt8: WriterThread]>([:])

    init(_ kind: ExecutorKind) {
        let engine = InProcessEngine(
            guardianArguments: [CommandLine.arguments[0], ProcessRole.guardian],
            log: getenv("SWIFTLET_LOG").map { String(cString: $0) },
            received: { [weak self] bytes in self?.received(bytes) },
            ended: { [self] reason in engineEnded(reason) })
        self.engine.withLock { $0 = engine }
        outputs.withLock { writers in
            for stream: UInt8 in [1, 2] {
                writers[stream] = WriterThread(descriptor: Int32(stream)) { [weak self] count in
                    self?.send { $0.append(frame: .outputAck, id: UInt64(count)) }
                }
            }
        }
        send { frames in
            frames.append(frame: .hello, id: protocolVersion) { Self.attributes(["role": "client"]).write(to: &$0) }
            frames.append(frame: .request, id: 1) { Attributes().write(to: &$0) }
            frames.append(frame: .configure, id: 0) { bytes in
                var attributes = Self.attributes(["launch": "program", "mode": "warm"])
                attributes[integer: "max_workers"] = kind.workers
                attributes[integer: "init_request"] = 1
                attributes[list: "worker_argv"] = kind.program + [ProcessRole.worker]
                attributes[list: "worker_env"] = Self.environment
                attributes.write(to: &bytes)
            }
        }
    }

    func submit(type: String, arguments: [UInt8]) -> PendingCall {
        let (task, blob, isNewType, call, hasEnded) = state.withLock { state in
            let task = state.nextTask
            state.nextTask += 1
            let known = state.types[type]
            let blob = known ?? UInt64(state.types.count + 1)
            state.types[type] = blob
            let call = PendingCall(
                cancelled: { [weak self] in self?.cancelled(task) },
                released: { [weak self] in self?.send { $0.append(frame: .release, id: 0) { $0.append(integer: task) } } })
            if !state.hasEnded { state.pending[task] = call }
            return (task, blob, known == nil, call, state.hasEnded)
        }
        guard !hasEnded else {
            call.end(.failure(Self.engineIsGone(nil)))
            return call
        }
        send { frames in
            if isNewType { frames.append(frame: .blob, id: blob) { $0.append(contentsOf: type.utf8) } }
            frames.append(frame: .submit, id: task) { bytes in
                bytes.append(integer: UInt32(1))
                bytes.append(integer: UInt16(1))
                bytes.append(integer: UInt16(0))
                bytes.append(integer: blob)
                bytes.append(contentsOf: Payload(inline: arguments).bytes)
            }
        }
        return call
    }

    func cancelEverything() {
        let pending = state.withLock { Array($0.pending.values) }
        for call in pending { call.cancel() }
    }

    /// Returns when the engine and everything it started are gone.
    func shutDown(cancelWaiting: Bool) async {
        send { $0.append(frame: .shutdown, id: 0, flags: cancelWaiting ? 1 : 0) }
        await withCheckedContinuation { continuation in
            let hasEnded = state.withLock { state in
                if !state.hasEnded { state.waitingForEnd.append(continuation) }
                return state.hasEnded
            }
            if hasEnded { continuation.resume() }
        }
    }

    private func cancelled(_ task: UInt64) {
        state.withLock { _ = $0.pending.removeValue(forKey: task) }
        send { $0.append(frame: .cancel, id: task) }
    }

    private func send(_ frames: (inout [UInt8]) -> Void) { engine.withLock { $0 }?.send(frames) }

    // MARK: from the engine

    private func received(_ bytes: [UInt8]) {
        do { try bytes.withUnsafeBytes { try forEachFrame(in: $0, received) } } catch { engineEnded("\(error)") }
    }

    private func received(_ header: FrameHeader, _ body: UnsafeRawBufferPointer) throws {
        switch FrameType(rawValue: header.type) {
        case .outcome:
            let call = state.withLock { $0.pending.removeValue(forKey: header.id) }
            call?.end(try OutcomeFrame(body).result)
        case .output: outputs.withLock { $0[header.flags] }?.write(body)
        case .goodbye where !body.isEmpty: engineEnded(String(decoding: body, as: UTF8.self))
        default: break  // hello, started, budget: nothing to do for this client
        }
    }

    private func engineEnded(_ reason: String?) {
        let (pending, waiting) = state.withLock { state in
            defer { (state.pending, state.waitingForEnd, state.hasEnded) = ([:], [], true) }
            return (Array(state.pending.values), state.waitingForEnd)
        }
        for call in pending { call.end(.failure(Self.engineIsGone(reason))) }
        for continuation in waiting { continuation.resume() }
    }

    private static func engineIsGone(_ reason: String?) -> TaskError {
        TaskError(
            code: .engineEnded, description: "the engine has ended" + (reason.map { ": \($0)" } ?? " before the task did"),
            errorOutput: "")
    }

    private static func attributes(_ texts: [String: String]) -> Attributes {
        var attributes = Attributes()
        for (key, text) in texts { attributes[text: key] = text }
        return attributes
    }

    private static var environment: [String] {
        var variables: [String] = []
        var next = environ
        while let variable = next.pointee {
            variables.append(String(cString: variable))
            next += 1
        }
        return variables
    }
}
