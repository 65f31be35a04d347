// SPDX-License-Identifier: BSD-3-Clause
import CSwiftlet
import Glibc
public import SwiftletFlux
public import SwiftletTransport

/// A connection to a broker of Flux over its local socket, on the thread of its loop. Nothing here waits.
public final class FluxConnection: EventHandler {
    public typealias Answer = FluxConversation.Answer

    /// Called once when the connection is of no use any more, after every open question was answered with the same fault.
    public var onClose: (FluxFault) -> Void = { _ in }
    public private(set) var isClosed = false

    private let loop: EventLoop
    private let descriptor: Int32
    private var token: UInt64 = 0
    private var conversation = FluxConversation()
    private var questions: [UInt32: (Answer) -> Void] = [:]
    private var outgoing: [UInt8] = []
    private var sent = 0
    private var flushIsScheduled = false
    private var waitsForWriting = false
    private var buffer = [UInt8](repeating: 0, count: 1 << 16)

    /// Connects to the broker's socket.
    /// - Throws: `FluxFault` where there is no socket, or nobody listens there any more.
    public init(path: String, loop: EventLoop) throws(FluxFault) {
        self.loop = loop
        descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { throw FluxFault(code: errno, "no socket could be made: \(systemErrorText())") }
        do throws(FluxFault) {
            try Self.connect(descriptor, to: path)
        } catch {
            closeDescriptor(descriptor)
            throw error
        }
        _ = sl_set_nonblocking(descriptor)
        token = loop.register(descriptor, for: .read, handler: self)
    }

    private static func connect(_ descriptor: Int32, to path: String) throws(FluxFault) {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        let bytes = Array(path.utf8)
        guard bytes.count < MemoryLayout.size(ofValue: address.sun_path) else {
            throw FluxFault("the path of the socket is too long: \(path)")
        }
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: bytes) }
        let result = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                Glibc.connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        guard result == 0 else { throw FluxFault(code: errno, "the socket \(path): \(systemErrorText())") }
    }

    /// Asks; `answer` is called once, for a stream with each answer until `.end` or a fault.
    public func ask(_ request: FluxRequest, node: UInt32 = FluxMessage.anyNode, answer: @escaping (Answer) -> Void) {
        guard !isClosed else { return loop.afterThisTurn { answer(.fault(FluxFault("the connection to Flux is closed"))) } }
        let (tag, bytes) = conversation.ask(request, node: node)
        questions[tag] = answer
        outgoing.append(contentsOf: bytes)
        guard !flushIsScheduled else { return }
        flushIsScheduled = true
        loop.afterThisTurn { [weak self] in
            self?.flushIsScheduled = false
            self?.flush()
        }
    }

    public func ready(_ readiness: Readiness) {
        if readiness.contains(.write) { flush() }
        if readiness.contains(.read) || readiness.contains(.hangup) { receive() }
    }

    private func receive() {
        for _ in 0..<64 where !isClosed {
            var descriptors: Int32 = 0
            let count = buffer.withUnsafeMutableBytes { sl_receive(descriptor, $0.baseAddress!, $0.count, nil, 0, &descriptors) }
            if count < 0 {
                if errno == EAGAIN || errno == EINTR { return }
                return close(FluxFault(code: errno, "the connection to the broker broke: \(systemErrorText())"))
            }
            if count == 0 { return close(FluxFault("the broker closed the connection: its instance has ended, or was killed")) }
            do throws(FluxFault) {
                for delivery in try conversation.receive(buffer[..<count]) { deliver(delivery) }
            } catch {
                return close(error)
            }
            if count < buffer.count { return }
        }
    }

    private func deliver(_ delivery: FluxConversation.Delivery) {
        guard let question = questions[delivery.tag] else { return }
        if delivery.isLast { questions[delivery.tag] = nil }
        question(delivery.answer)
    }

    private func flush() {
        while !isClosed && sent < outgoing.count {
            let count = outgoing.withUnsafeBytes { sl_send(descriptor, $0.baseAddress! + sent, $0.count - sent, nil, 0) }
            if count < 0 {
                if errno == EAGAIN { return waitForWriting(true) }
                // What the broker said last is heard first.
                return loop.afterThisTurn { [weak self] in self?.receive() }
            }
            sent += count
        }
        guard !isClosed else { return }
        outgoing.removeAll(keepingCapacity: outgoing.capacity <= 1 << 20)
        sent = 0
        waitForWriting(false)
    }

    private func waitForWriting(_ wait: Bool) {
        guard wait != waitsForWriting else { return }
        waitsForWriting = wait
        loop.change(token, to: wait ? [.read, .write] : .read)
    }

    /// Ends the conversation; `onClose` is not called, open questions get no answer. What was asked leaves, if it can.
    public func close() {
        guard !isClosed else { return }
        if sent < outgoing.count {
            _ = outgoing.withUnsafeBytes { sl_send(descriptor, $0.baseAddress! + sent, $0.count - sent, nil, 0) }
        }
        isClosed = true
        questions = [:]
        loop.unregister(token)
        closeDescriptor(descriptor)
    }

    private func close(_ fault: FluxFault) {
        let open = questions.sorted { $0.key < $1.key }
        close()
        for (_, question) in open { question(.fault(fault)) }
        onClose(fault)
    }
}
