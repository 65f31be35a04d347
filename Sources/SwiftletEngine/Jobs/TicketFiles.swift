// SPDX-License-Identifier: BSD-3-Clause
import Glibc
import SwiftletTransport

/// Files of mode 0600 in a directory of mode 0700, by which tickets come to jobs. Written on a thread of their own: the directory
/// is one that the nodes share.
final class TicketFiles {
    let directory: String
    private let thread: WorkThread<[File], String?>

    private struct File: Sendable {
        let path: String
        let line: String
    }

    /// Makes the directory, where it is not there.
    init(in directory: String, loop: EventLoop) throws {
        self.directory = directory
        thread = try WorkThread(loop: loop) {
            _ = mkdir(directory, 0o700)
            return { files in files.lazy.compactMap(Self.write).first }
        }
    }

    func path(_ name: String) -> String { "\(directory)/\(name)" }

    /// Writes a file for each ticket; `answer` gets what did not work, nil where all did.
    func write(_ tickets: [(name: String, ticket: Ticket)], answer: @escaping (String?) -> Void) {
        write(tickets.map { (name: $0.name, lines: $0.ticket.line) }, answer: answer)
    }

    /// The same for several tickets in a file.
    func write(_ tickets: [(name: String, lines: String)], answer: @escaping (String?) -> Void) {
        thread.submit(tickets.map { File(path: path($0.name), line: $0.lines) }, answer: answer)
    }

    /// What did not work; nil where it did.
    private static func write(_ file: File) -> String? {
        let descriptor = open(file.path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { return "the ticket \(file.path) cannot be made: \(String(cString: strerror(errno)))" }
        defer { close(descriptor) }
        let bytes = Array(file.line.utf8)
        // Another node reads it.
        guard Glibc.write(descriptor, bytes, bytes.count) == bytes.count, fsync(descriptor) == 0 else {
            return "the ticket \(file.path) cannot be written: \(String(cString: strerror(errno)))"
        }
        return nil
    }
}
