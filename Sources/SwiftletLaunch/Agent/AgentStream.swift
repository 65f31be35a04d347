// SPDX-License-Identifier: BSD-3-Clause
import CSwiftlet
import Glibc
import SwiftletTransport
import SwiftletWire

/// One stream of a worker that an agent relays to the engine: its connection, or what it prints.
final class AgentStream: EventHandler {
    /// The descriptor has nothing more to say, and everything it said has left.
    private(set) var isOver = false

    private let kind: RelayStream
    private let worker: UInt64
    private let descriptor: Int32
    private let engine: Link
    private let loop: EventLoop
    /// Called when the stream is over.
    private let onOver: () -> Void
    private var token: UInt64 = 0
    /// Bytes read and sent that the engine has not taken yet.
    private var inFlight = 0
    /// Bytes from the engine that the worker has not taken yet.
    private var waiting: [UInt8] = []
    private var written = 0
    private var untold = 0
    private var cannotWrite = false

    init(
        _ kind: RelayStream, of worker: UInt32, descriptor: Int32, engine: Link, loop: EventLoop, onOver: @escaping () -> Void
    ) {
        self.kind = kind
        self.worker = UInt64(worker)
        self.descriptor = descriptor
        self.engine = engine
        self.loop = loop
        self.onOver = onOver
        _ = sl_set_nonblocking(descriptor)
        token = loop.register(descriptor, for: .read, order: kind == .connection ? .normal : .early, handler: self)
    }

    func ready(_ readiness: Readiness) {
        if readiness.contains(.write) { writeSome() }
        if readiness.contains(.read) || readiness.contains(.hangup) { readSome() }
    }

    /// False where nothing is there.
    @discardableResult
    private func readSome() -> Bool {
        guard !isOver, inFlight < kind.window else { return true }
        let isSomething = withUnsafeTemporaryAllocation(byteCount: 1 << 16, alignment: 16) { chunk in
            let count = read(descriptor, chunk.baseAddress, chunk.count)
            if count < 0 && (errno == EAGAIN || errno == EINTR) { return errno == EINTR }
            guard count > 0 else {
                end()
                return true
            }
            engine.send(.relay, id: worker, flags: kind.rawValue) {
                $0.append(contentsOf: UnsafeRawBufferPointer(rebasing: chunk[..<count]))
            }
            inFlight += count
            return true
        }
        if !isOver { watch() }
        return isSomething
    }

    /// Reads until nothing is there. True where all the engine has sent lies in the worker's socket or was read, and everything that
    /// the worker had said after that has been passed on.
    func passOnEverything() -> Bool {
        guard !isOver, written == waiting.count, !cannotWrite else { return false }
        while !isOver, inFlight < kind.window {
            if !readSome() { return !isOver }
        }
        return false
    }

    /// The engine has taken so many bytes.
    func acknowledged(_ count: Int) {
        inFlight = max(0, inFlight - count)
        if !isOver { watch() }
    }

    /// Passes bytes on to the worker; nothing happens where it does not read any more.
    func write(_ bytes: UnsafeRawBufferPointer) {
        guard !isOver else { return }
        waiting.append(contentsOf: bytes)
        writeSome()
    }

    private func writeSome() {
        while written < waiting.count {
            let count = waiting.withUnsafeBytes { sl_send(descriptor, $0.baseAddress! + written, $0.count - written, nil, 0) }
            if count < 0 {
                if errno == EAGAIN { break }
                cannotWrite = true
            }
            let taken = cannotWrite ? waiting.count - written : count
            written += taken
            untold += taken
        }
        if written == waiting.count {
            waiting.removeAll(keepingCapacity: waiting.capacity <= 1 << 20)
            written = 0
        }
        if RelayWindow.isWorthTelling(untold, of: kind.window) {
            engine.send(.relayAck, id: worker, flags: kind.rawValue) { $0.append(integer: UInt64(untold)) }
            untold = 0
        }
        watch()
    }

    private func watch() {
        var readiness: Readiness = inFlight < kind.window ? .read : []
        if written < waiting.count { readiness.insert(.write) }
        loop.change(token, to: readiness)
    }

    private func end() {
        guard !isOver else { return }
        isOver = true
        engine.send(.relay, id: worker, flags: kind.rawValue | RelayStream.end)
        release()
        onOver()
    }

    /// Lets it go, whatever it still had to say.
    func close() {
        guard !isOver else { return }
        isOver = true
        release()
    }

    private func release() {
        loop.unregister(token)
        closeDescriptor(descriptor)
    }
}
