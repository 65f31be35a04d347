// SPDX-License-Identifier: BSD-3-Clause
import CSwiftlet
import Glibc
import SwiftletWire
import Testing

@testable import SwiftletTransport

/// A listener at an address of the loopback interface and at a path; who connects is given to `link`.
private final class Host {
    let loop = EventLoop()
    let directory: String
    let listener: SecureListener
    let link: SecureLink

    init() throws {
        var template = Array("/tmp/swiftlet-test-XXXXXX".utf8CString)
        directory = String(cString: try #require(mkdtemp(&template)))
        listener = try SecureListener(host: "127.0.0.1", near: "\(directory)/s", loop: loop)
        link = SecureLink(loop: loop)
    }

    deinit {
        listener.close()
        rmdir(directory)
    }

    /// Connects on another thread; the other end is `link` then.
    func admit(_ ticket: (Ticket) -> Ticket = { $0 }, then use: @escaping @Sendable (SecureLink) -> Void = { _ in }) {
        let good = listener.expect(isAgent: true) { [unowned self] in
            link.attach($0)
            loop.stop()
        }
        let ticket = ticket(good)
        startThread {
            guard let socket = try? SecureConnector.connect(ticket) else { return }
            let loop = EventLoop()
            let link = SecureLink(loop: loop)
            link.onClose = { _ in loop.stop() }
            link.attach(socket)
            use(link)
            loop.run()
        }
        loop.run()
    }
}

private func pipeWith(_ text: String) throws -> Int32 {
    let (reading, writing) = try makePipe()
    _ = write(writing, text, text.utf8.count)
    closeDescriptor(writing)
    return reading
}

/// What can be read of a descriptor, which is closed.
private func takeText(_ descriptor: Int32) -> String {
    defer { closeDescriptor(descriptor) }
    var bytes = [UInt8](repeating: 0, count: 64)
    let count = read(descriptor, &bytes, 64)
    return String(decoding: bytes.prefix(max(0, count)), as: UTF8.self)
}

@Suite struct NearConnectionTests {
    @Test func whoRunsOnTheHostIsNear() throws {
        let host = try Host()
        host.admit()
        #expect(host.link.carriesDescriptors)
        host.link.close()
        host.listener.close()
        #expect(access("\(host.directory)/s", F_OK) != 0)
    }

    @Test func onlyAgentsAreToldThePath() throws {
        let host = try Host()
        #expect(host.listener.expect { _ in }.near == nil)
        #expect(host.listener.expect(isAgent: true) { _ in }.near == .unix("\(host.directory)/s"))
    }

    @Test func whereThePathIsNotSeenTheAddressIs() throws {
        let host = try Host()
        host.admit { ticket in
            unlink("\(host.directory)/s")  // as on another host
            return ticket
        }
        #expect(!host.link.carriesDescriptors)
        host.link.close()
    }

    @Test(arguments: [true, false]) func somebodyElseAtThePathIsPassedBy(closes: Bool) throws {
        let host = try Host()
        // Another engine, which expects nobody of that name; or who closes every connection.
        let other = try SecureListener(path: "\(host.directory)/other", loop: host.loop)
        let path = "\(host.directory)/closing"
        let closing = try ClosingListener(path, loop: host.loop)
        host.admit { good in
            Ticket(
                address: good.address, near: .unix(closes ? path : "\(host.directory)/other"), id: good.id, secret: good.secret)
        }
        #expect(!host.link.carriesDescriptors)
        host.link.close()
        other.close()
        closing.close()
    }

    @Test func descriptorsComeWithTheirFramesAndInOrder() throws {
        let host = try Host()
        host.admit(then: { link in
            link.onFrame = { header, body in
                guard header.type == FrameType.spawn.rawValue else { return }
                let texts = try link.takeDescriptors(2).map(takeText)
                link.send(.result, id: header.id) { $0.append(contentsOf: texts.joined(separator: " ").utf8) }
            }
        })
        let count: UInt64 = 40
        var answers: [String] = []
        host.link.onFrame = { header, body in
            #expect(header.id == UInt64(answers.count))
            answers.append(String(decoding: body, as: UTF8.self))
            if answers.count == count { host.loop.stop() }
        }
        for number in 0..<count {
            // Before some a lot is said that has none: more than a record, more than a socket takes at once.
            if number % 8 == 3 {
                host.link.send(.blob, id: number) { $0.append(contentsOf: [UInt8](repeating: 1, count: 700_000)) }
            }
            host.link.send(.spawn, id: number, descriptors: [try pipeWith("a\(number)"), try pipeWith("b\(number)")]) {
                $0.append(contentsOf: [UInt8](repeating: 2, count: 100))
            }
            if number % 8 == 5 { host.link.send(.heartbeat, id: 0) }
        }
        host.loop.run()
        #expect(answers == (0..<count).map { "a\($0) b\($0)" })
        host.link.close()
    }

    @Test func whatHasNotLeftIsClosedWithTheLink() throws {
        let host = try Host()
        host.admit()
        let descriptor = try pipeWith("")
        host.link.send(.spawn, id: 1, descriptors: [descriptor]) { _ in }
        host.link.close()
        #expect(fcntl(descriptor, F_GETFD) == -1)
        let late = try pipeWith("")
        host.link.send(.spawn, id: 2, descriptors: [late]) { _ in }
        #expect(fcntl(late, F_GETFD) == -1)
    }

    @Test func aFrameWithoutItsDescriptorsEndsTheConnection() throws {
        let host = try Host()
        host.admit(then: { link in link.send(.spawn, id: 1) })
        var reason: String?
        host.link.onFrame = { _, _ in _ = try host.link.takeDescriptors(1) }
        host.link.onClose = {
            reason = $0
            host.loop.stop()
        }
        host.loop.run()
        #expect(reason == "a frame came without its descriptors")
    }
}

/// Somebody who listens at a path and closes every connection.
private final class ClosingListener: EventHandler {
    private let path: String
    private let descriptor: Int32
    private let loop: EventLoop
    private var token: UInt64 = 0

    init(_ path: String, loop: EventLoop) throws {
        self.path = path
        self.loop = loop
        descriptor = sl_listen_unix(path)
        try #require(descriptor >= 0)
        token = loop.register(descriptor, for: .read, handler: self)
    }

    func ready(_ readiness: Readiness) { closeDescriptor(sl_accept(descriptor)) }

    func close() {
        loop.unregister(token)
        closeDescriptor(descriptor)
        unlink(path)
    }
}
