// SPDX-License-Identifier: BSD-3-Clause
import CSwiftlet
import Glibc
import Synchronization
import SwiftletTransport

/// Lines for the people who look into an engine. A thread of its own writes them, so that a slow file system never holds up the loop.
public final class EngineLog: Sendable {
    private struct State {
        var waiting: [UInt8] = []
        var isClosed = false
    }

    /// Whether anybody reads it; lines are only made where somebody does.
    public let isOn: Bool
    private let state = Mutex(State())
    private let wakeup: Int32

    /// A log that nobody reads.
    public static let off = EngineLog(path: nil)

    /// Appends to the file at `path`; a directory gets a file of its own for each engine. Where it cannot be opened the reason
    /// goes to the standard error output, and nothing is logged.
    public init(path: String?) {
        guard let path, !path.isEmpty, let file = Self.open(path) else {
            isOn = false
            wakeup = -1
            return
        }
        isOn = true
        var pipe: [Int32] = [0, 0]
        _ = sl_pipe(&pipe)
        wakeup = pipe[1]
        let reading = pipe[0]
        startThread { [self] in
            var byte: [UInt8] = [0]
            while true {
                let bytes = state.withLock { state in
                    let waiting = state.waiting
                    state.waiting = []
                    return waiting
                }
                if bytes.isEmpty {
                    if read(reading, &byte, 1) <= 0 { return }
                } else {
                    _ = Glibc.write(file, bytes, bytes.count)
                }
            }
        }
    }

    /// Adds a line with the time and the engine's process id.
    public func write(_ text: String) {
        guard isOn else { return }
        let now = sl_unix_ns()
        let line = "\(now / 1_000_000_000).\(String(now / 1_000_000 % 1000 + 1000).dropFirst()) [\(getpid())] \(text)\n"
        let wasEmpty = state.withLock { state in
            defer { state.waiting.append(contentsOf: line.utf8) }
            return state.waiting.isEmpty
        }
        var byte: UInt8 = 1
        if wasEmpty { _ = Glibc.write(wakeup, &byte, 1) }
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

/// Starts a thread that lasts as long as its body.
func startThread(_ body: @escaping @Sendable () -> Void) {
    final class Box {
        let body: @Sendable () -> Void
        init(_ body: @escaping @Sendable () -> Void) { self.body = body }
    }
    var thread = pthread_t()
    let box = Unmanaged.passRetained(Box(body)).toOpaque()
    let result = pthread_create(&thread, nil, { pointer in
        Unmanaged<Box>.fromOpaque(pointer!).takeRetainedValue().body()
        return nil
    }, box)
    precondition(result == 0, "no thread could be started")
    pthread_detach(thread)
}
