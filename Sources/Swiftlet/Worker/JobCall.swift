// SPDX-License-Identifier: BSD-3-Clause
import CSwiftlet
import Glibc
import SwiftletEngine
import SwiftletLaunch
import SwiftletModel
import SwiftletTransport
import Synchronization

/// The worker below a job, and its one call.
final class JobCall: Sendable {
    /// How it came out.
    struct End: Sendable {
        /// nil where the worker died before it had one.
        var answer: WorkerChannel.Answer?
        var status: ProcessEnd
        let process: Int32
        let isLate: Bool
        /// The last it printed on its error output.
        let errors: [UInt8]
    }

    private static let tailSize = 4096
    /// Seconds between SIGTERM and SIGKILL, and for a worker that has answered.
    private static let grace = 5.0

    private let channel: RankChannel
    private let process: pid_t
    private let isLate = Mutex(false)
    private let errors = Mutex<(fatal: FatalLine, tail: [UInt8])>((FatalLine(), []))
    private let ended = Once<Int32>()
    private let errorsEnded = Once<Void>()

    /// Starts the worker.
    /// - Throws: ``TaskError`` (`refused`), `SystemError` where it cannot be started.
    init(arguments: [String], ranks: Int, slot: String) async throws {
        _ = sl_become_subreaper()
        let (ours, theirs) = try makeSocketPair()
        let (errorRead, errorWrite) = try makePipe()
        _ = fcntl(errorRead, F_SETFL, fcntl(errorRead, F_GETFL) & ~O_NONBLOCK)
        channel = RankChannel(descriptor: ours)
        let own = ["\(TaskSlot.variable)=\(slot)"] + (ranks > 1 ? ["SWIFTLET_RANKS=\(ranks)"] : [])
        let environment = SwiftletLaunch.environment(environmentVariables(), with: own)
        let ended = ended
        // It gets SIGKILL when the thread that starts it ends, and no later.
        let started: Result<pid_t, TaskError> = await withCheckedContinuation { continuation in
            startThread {
                let process: pid_t
                do throws(TaskError) {
                    process = try CommandRunner.start(
                        arguments, environment: environment, directory: nil,
                        CommandRunner.Descriptors(input: -1, output: 1, errors: errorWrite, socket: theirs))
                } catch {
                    return continuation.resume(returning: .failure(error))
                }
                closeDescriptor(theirs)
                closeDescriptor(errorWrite)
                continuation.resume(returning: .success(process))
                var status: Int32 = 0
                while waitpid(process, &status, 0) < 0 && errno == EINTR {}
                ended.set(status)
            }
        }
        process = try started.get()
        startThread { [self] in passOnErrors(errorRead) }
    }

    private func passOnErrors(_ descriptor: Int32) {
        var chunk = [UInt8](repeating: 0, count: 1 << 14)
        while true {
            let count = read(descriptor, &chunk, chunk.count)
            if count < 0 && errno == EINTR { continue }
            guard count > 0 else { break }
            _ = write(2, chunk, count)
            errors.withLock {
                $0.fatal.read(chunk[..<count])
                $0.tail = Array(($0.tail + chunk[..<count]).suffix(Self.tailSize))
            }
        }
        closeDescriptor(descriptor)
        errorsEnded.set(())
    }

    /// Returns when the worker and all it left behind are gone.
    func run(type: [UInt8], directory: [UInt8], arguments: [UInt8], inputs: [[UInt8]], limit: Double?) async -> End {
        channel.blob(1, type)
        if !directory.isEmpty { channel.blob(2, directory) }
        channel.call(1, attempt: 1, blobs: directory.isEmpty ? [1] : [1, 2], arguments: arguments, inputs: inputs)
        let timer = limit.map { seconds in
            Task {
                try await Task.sleep(for: .seconds(seconds))
                isLate.withLock { $0 = true }
                kill(-process, SIGTERM)
                try await Task.sleep(for: .seconds(Self.grace))
                kill(-process, SIGKILL)
            }
        }
        let answer: WorkerChannel.Answer? = await withCheckedContinuation { continuation in
            startThread { [channel] in continuation.resume(returning: channel.answer()) }
        }
        if answer != nil { timer?.cancel() }
        channel.end()
        let patience = Task {
            guard answer != nil else { return }
            try await Task.sleep(for: .seconds(Self.grace))
            kill(-process, SIGKILL)
        }
        let status = await ended.value
        patience.cancel()
        timer?.cancel()
        _ = endAllDescendants()
        await errorsEnded.value
        return End(
            answer: answer, status: ProcessEnd(waitStatus: status), process: process, isLate: isLate.withLock { $0 },
            errors: errors.withLock { $0.fatal.before($0.tail) })
    }
}

/// A value that comes once.
private final class Once<Value: Sendable>: Sendable {
    private struct State {
        var value: Value?
        var waiting: CheckedContinuation<Value, Never>?
    }
    private let state = Mutex(State())

    func set(_ value: Value) {
        let waiting = state.withLock { state in
            state.value = value
            return state.waiting
        }
        waiting?.resume(returning: value)
    }

    /// Waits for it; for one to ask.
    var value: Value {
        get async {
            await withCheckedContinuation { continuation in
                let value = state.withLock { state in
                    if state.value == nil { state.waiting = continuation }
                    return state.value
                }
                if let value { continuation.resume(returning: value) }
            }
        }
    }
}
