// SPDX-License-Identifier: BSD-3-Clause
import Glibc
import SwiftletTransport

/// Reads what a worker prints on one of its two outputs and passes it on by whole lines.
final class OutputReader: EventHandler {
    enum Stream: UInt8 {
        case output = 1
        case errors = 2
    }

    /// Called with whole lines, or with the unfinished one at the end of a task.
    var onOutput: ([UInt8]) -> Void = { _ in }
    /// The last bytes that were printed, at most `tailSize`.
    private(set) var tail: [UInt8] = []
    private var fatalLine = FatalLine()
    /// The tail, after the line that says why the process stopped where that is longer ago.
    var lastWords: [UInt8] { fatalLine.before(tail) }
    /// How many bytes were printed.
    private(set) var total = 0

    private static let longestLine = 1 << 16

    /// -1 for a stream that an agent relays.
    private var descriptor: Int32
    private let loop: EventLoop
    private var token: UInt64 = 0
    /// Of a stream that an agent relays: tells it how many bytes have been taken.
    private let taken: (Int) -> Void
    private var untold = 0
    private var isPaused = false
    private var isOpen = true
    private var line: [UInt8] = []
    private let keepsTail: Bool
    /// The turn of the loop in which something was last read, and how much of `tail` was read in it.
    private var lastTurn: UInt64 = 0
    private var readInLastTurn = 0
    /// How much of the tail is kept where nothing else is said.
    static let tailSize = 4096
    private let tailSize: Int

    init(descriptor: Int32, keepsTail: Bool, tailSize: Int = OutputReader.tailSize, loop: EventLoop) {
        self.descriptor = descriptor
        self.loop = loop
        self.keepsTail = keepsTail
        taken = { _ in }
        self.tailSize = tailSize
        token = loop.register(descriptor, for: .read, order: .early, handler: self)
    }

    /// For a stream that an agent relays. `taken` is to tell the agent how many bytes have been taken.
    init(keepsTail: Bool, tailSize: Int = OutputReader.tailSize, loop: EventLoop, taken: @escaping (Int) -> Void) {
        descriptor = -1
        self.loop = loop
        self.keepsTail = keepsTail
        self.tailSize = tailSize
        self.taken = taken
    }

    /// Of what a process prints, and of what it prints on its error output, whose end is kept.
    static func ofBoth(_ streams: ProcessStreams, loop: EventLoop) -> [OutputReader] {
        [
            OutputReader(descriptor: streams.output.ours, keepsTail: false, loop: loop),
            OutputReader(descriptor: streams.errors.ours, keepsTail: true, loop: loop),
        ]
    }

    /// The stream is not relayed: it is read here.
    func read(from descriptor: Int32) {
        guard isOpen else { return closeDescriptor(descriptor) }
        self.descriptor = descriptor
        token = loop.register(descriptor, for: isPaused ? [] : .read, order: .early, handler: self)
    }

    /// Bytes came from the agent.
    func relayed(_ bytes: UnsafeRawBufferPointer) {
        add(Array(bytes)[...])
        untold += bytes.count
        tell()
    }

    private func tell() {
        guard !isPaused, RelayWindow.isWorthTelling(untold, of: RelayWindow.output) else { return }
        taken(untold)
        untold = 0
    }

    /// Stops or goes on reading; who prints waits when the pipe (or the agent's window) is full.
    func setPaused(_ paused: Bool) {
        isPaused = paused
        if descriptor < 0 { return tell() }
        if isOpen { loop.change(token, to: paused ? [] : .read) }
    }

    func ready(_ readiness: Readiness) { readOnce() }

    private func readOnce() {
        var chunk = [UInt8](repeating: 0, count: 1 << 16)
        let count = Glibc.read(descriptor, &chunk, chunk.count)
        if count < 0 && (errno == EAGAIN || errno == EINTR) { return }
        guard count > 0 else { return close() }
        add(chunk[..<count])
    }

    /// Reads what is there and passes on what there is, also an unfinished line; then closes.
    func finish() {
        while isOpen, descriptor >= 0 {
            var chunk = [UInt8](repeating: 0, count: 1 << 16)
            let count = Glibc.read(descriptor, &chunk, chunk.count)
            guard count > 0 else { break }
            add(chunk[..<count])
        }
        flush()
        close()
    }

    /// Passes on an unfinished line: its task has ended.
    func flush() {
        guard !line.isEmpty else { return }
        onOutput(line)
        line = []
    }

    /// Another task begins: forgets what was printed before it. Where the worker had its call already, it may have printed
    /// what was read in this turn of the loop.
    func startTail(hadCall: Bool) {
        let kept = hadCall && lastTurn == loop.turn ? readInLastTurn : 0
        if tail.count > kept { tail.removeFirst(tail.count - kept) }
        if kept == 0 { fatalLine = FatalLine() }
    }

    private func add(_ bytes: ArraySlice<UInt8>) {
        total += bytes.count
        if keepsTail {
            fatalLine.read(bytes)
            tail.append(contentsOf: bytes)
            if tail.count > tailSize { tail.removeFirst(tail.count - tailSize) }
            if lastTurn != loop.turn { (lastTurn, readInLastTurn) = (loop.turn, 0) }
            readInLastTurn = min(readInLastTurn + bytes.count, tail.count)
        }
        line.append(contentsOf: bytes)
        let newline = UInt8(ascii: "\n"), carriageReturn = UInt8(ascii: "\r")
        if line.count > Self.longestLine { return flush() }
        guard let end = line.lastIndex(where: { $0 == newline || $0 == carriageReturn }) else { return }
        let rest = Array(line[(end + 1)...])
        line.removeLast(rest.count)
        flush()
        line = rest
    }

    private func close() {
        guard isOpen else { return }
        isOpen = false
        guard descriptor >= 0 else { return }
        loop.unregister(token)
        closeDescriptor(descriptor)
    }
}
