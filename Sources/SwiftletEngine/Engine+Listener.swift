// SPDX-License-Identifier: BSD-3-Clause
import Glibc
import SwiftletLaunch
import SwiftletModel
import SwiftletTransport
import SwiftletWire

extension Engine {
    /// How long the last words of a worker on another connection than its process's end may take, in nanoseconds.
    private static let lastWords: UInt64 = 1_000_000_000

    /// A link to somebody who will connect by itself, and the ticket it needs for that. Until then what is sent waits.
    /// - Throws: `SystemError` where this engine cannot listen.
    func makeExpectedLink() throws -> (link: SecureLink, ticket: Ticket) {
        let listener = try runningListener()
        let link = SecureLink(loop: loop)
        let ticket = listener.expect { [weak link] socket in
            if let link { link.attach(socket) } else { socket.close() }
        }
        return (link, ticket)
    }

    /// The one listener; it listens from when it is first needed: at the address the client names (`listen_address`), else at a
    /// socket in a directory of its own that nobody else may enter.
    func runningListener() throws -> SecureListener {
        if let listener { return listener }
        let new: SecureListener
        if let host = configuration?.listenAddress {
            new = try SecureListener(host: host, near: nearPath(), loop: loop)
        } else {
            let directory = try makePrivateDirectory()
            guardian.removeAtEnd(directory)
            new = try SecureListener(path: "\(directory)/engine", loop: loop)
        }
        new.onRefused = { [unowned self] in log.write($0) }
        log.write("listens at \(new.address)")
        listener = new
        return new
    }

    /// Where agents on this host connect, which need not know that they are; nil where there are none or it cannot be had.
    private func nearPath() -> String? {
        guard let configuration, configuration.hasAgents, !configuration.relaysAlways, let directory = try? makePrivateDirectory()
        else { return nil }
        guardian.removeAtEnd(directory)
        return "\(directory)/engine"
    }

    /// A worker's process has ended; true while something it said before may still be on its way: `gone` is called again.
    func stillSpeaks(_ worker: Worker, _ end: ProcessEnd) -> Bool {
        guard worker.end == nil, let link = worker.peer.link as? SecureLink, link.isAttached else { return false }
        worker.end = end
        loop.schedule(after: Self.lastWords) { [unowned self, weak worker] in
            if let worker, workers[worker.id] === worker { gone(worker, end) }
        }
        return true
    }
}

/// A new directory of mode 0700 in TMPDIR, or in /tmp where that path would be too long for a socket.
private func makePrivateDirectory() throws(SystemError) -> String {
    let named = getenv("TMPDIR").map { String(cString: $0) } ?? ""
    for parent in [named, "/tmp"] where parent.hasPrefix("/") && parent.utf8.count < 70 {
        var template = Array("\(parent)/swiftlet-XXXXXX".utf8CString)
        if mkdtemp(&template) != nil { return String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self) }
    }
    throw SystemError(doing: "make a directory for a socket in /tmp")
}
