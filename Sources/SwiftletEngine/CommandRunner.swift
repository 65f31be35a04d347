// SPDX-License-Identifier: BSD-3-Clause
import Glibc
import SwiftletLaunch
import SwiftletModel
import SwiftletTransport

/// Runs commands for their answers. The guardian starts them; nothing waits, and nothing is left when the engine ends.
final class CommandRunner {
    private final class Running {
        var outputs: [OutputReader] = []
        var texts: [[UInt8]] = [[], []]
        var timer: UInt64 = 0
        let answer: (CommandResult) -> Void

        init(answer: @escaping (CommandResult) -> Void) { self.answer = answer }
    }

    /// Called when the last command has ended.
    var onIdle: () -> Void = {}
    var isIdle: Bool { running.isEmpty }

    private unowned let engine: Engine
    private var running: [WorkerID: Running] = [:]
    /// Numbers for the guardian, away from the workers'.
    private var nextID: UInt32 = 0xC000_0000

    init(engine: Engine) { self.engine = engine }

    private var loop: EventLoop { engine.loop }

    /// Starts a command; its answer comes later, exactly once.
    /// - Parameters:
    ///   - input: what it reads as its standard input.
    ///   - limit: nanoseconds until it is killed.
    func run(
        _ arguments: [String], environment: [String], input: [UInt8] = [], limit: UInt64 = 120_000_000_000,
        answer: @escaping (CommandResult) -> Void
    ) {
        let id = WorkerID(nextID)
        nextID = nextID == .max - 0x1000 ? 0xC000_0000 : nextID + 1
        let command = Running(answer: answer)
        do {
            let (inputRead, inputWrite) = try makePipe()
            let (outputRead, outputWrite) = try makePipe()
            let (errorRead, errorWrite) = try makePipe()
            // Only the reading ends of pipes for output do not block.
            _ = fcntl(inputRead, F_SETFL, fcntl(inputRead, F_GETFL) & ~O_NONBLOCK)
            for (index, descriptor) in [outputRead, errorRead].enumerated() {
                let reader = OutputReader(descriptor: descriptor, keepsTail: false, loop: loop)
                reader.onOutput = { [unowned command] in command.texts[index] += $0 }
                command.outputs.append(reader)
            }
            running[id] = command
            engine.jobProcesses[id] = { [weak self] end in if let end { self?.ended(id, end) } }
            command.timer = loop.schedule(after: limit) { [unowned engine] in engine.guardian.signal(id, SIGKILL) }
            PipeWriter.write(input, to: inputWrite, loop: loop)
            engine.guardian.spawn(
                id, arguments: ["/bin/sh", "-c", "exec \"$@\" <&3 3<&-", "sh"] + arguments, environment: environment,
                socket: inputRead, output: outputWrite, errors: errorWrite)
        } catch {
            running[id] = nil
            loop.afterThisTurn { answer(CommandResult(end: .failed("\(error)"))) }
        }
    }

    private func ended(_ id: WorkerID, _ end: ProcessEnd) {
        guard let command = running.removeValue(forKey: id) else { return }
        loop.cancel(timer: command.timer)
        for reader in command.outputs { reader.finish() }
        let texts = command.texts.map { String(decoding: $0, as: UTF8.self) }
        command.answer(CommandResult(end: end, output: texts[0], errors: texts[1]))
        if running.isEmpty { onIdle() }
    }
}

/// Writes bytes into a pipe as its reader takes them, and closes it.
private final class PipeWriter: EventHandler {
    private let descriptor: Int32
    private let loop: EventLoop
    private var rest: ArraySlice<UInt8>
    private var token: UInt64 = 0

    /// What the reader does not want is dropped.
    static func write(_ bytes: [UInt8], to descriptor: Int32, loop: EventLoop) {
        _ = fcntl(descriptor, F_SETFL, fcntl(descriptor, F_GETFL) | O_NONBLOCK)
        let writer = PipeWriter(bytes, descriptor, loop)
        if !writer.writeSome() { writer.token = loop.register(descriptor, for: .write, handler: writer) }
    }

    private init(_ bytes: [UInt8], _ descriptor: Int32, _ loop: EventLoop) {
        rest = bytes[...]
        self.descriptor = descriptor
        self.loop = loop
    }

    func ready(_ readiness: Readiness) { _ = writeSome() }

    /// True when nothing is left to be written, and the pipe is closed.
    private func writeSome() -> Bool {
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
            if count < 0 && errno == EINTR { continue }
            if count < 0 && errno == EAGAIN { return false }
            guard count > 0 else { break }
            rest = rest.dropFirst(count)
        }
        if token != 0 { loop.unregister(token) }
        closeDescriptor(descriptor)
        return true
    }
}
