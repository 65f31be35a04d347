// SPDX-License-Identifier: BSD-3-Clause
import CSwiftlet
import Glibc
import SwiftletTransport

/// Lines for the people who look into an engine, written by a thread of its own.
public final class EngineLog: Sendable {
    private let writer: WriterThread?

    /// A log that nobody reads.
    public static let off = EngineLog(path: nil)

    /// Appends to the file at `path`; a directory gets a file of its own for each engine. Where it cannot be opened the reason
    /// goes to the standard error output, and nothing is logged.
    public init(path: String?) {
        guard let path, !path.isEmpty, let file = Self.open(path) else {
            writer = nil
            return
        }
        writer = WriterThread(descriptor: file)
    }

    /// Whether anybody reads it; lines are only made where somebody does.
    public var isOn: Bool { writer != nil }

    /// Adds a line with the time and the engine's process id.
    public func write(_ text: @autoclosure () -> String) {
        guard let writer else { return }
        let now = sl_unix_ns()
        let line = "\(now / 1_000_000_000).\(String(now / 1_000_000 % 1000 + 1000).dropFirst()) [\(getpid())] \(text())\n"
        writer.write(line.utf8)
    }

    private static func open(_ path: String) -> Int32? {
        var info = stat()
        let isDirectory = stat(path, &info) == 0 && info.st_mode & S_IFMT == S_IFDIR
        let name = isDirectory ? "\(path)/swiftlet-engine-\(getpid()).log" : path
        let file = Glibc.open(name, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0o600)
        if file >= 0 { return file }
        let message = "swiftlet: no log: \(name): \(systemErrorText())\n"
        _ = Glibc.write(2, message, message.utf8.count)
        return nil
    }
}
