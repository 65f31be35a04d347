// SPDX-License-Identifier: BSD-3-Clause
import Glibc
import SwiftletEngine
import SwiftletModel
import SwiftletTransport
import Synchronization

/// The other ranks of a group, as rank 0 has them: the same program, started by it, one connection each. It passes on to them what
/// the engine says, and their answers are parts of its own. Where one of them dies it dies the same way, and with it all others.
final class RankGroup: Sendable {
    private struct State {
        var living = 0
        /// They are expected to end.
        var isEnding = false
        var waiting: CheckedContinuation<Void, Never>?
    }

    let count: Int
    /// A launcher has started them: they hear and answer through the engine.
    let isLaunched: Bool
    private let channels: [RankChannel]
    private let state: Mutex<State>

    /// Starts the other ranks.
    /// - Parameter arguments: of a worker (argv), the program first.
    /// - Throws: ``TaskError`` (`refused`) where one cannot be started.
    init(_ own: Rank, arguments: [String]) async throws(TaskError) {
        (count, isLaunched) = (own.count, false)
        let sockets: [(ours: Int32, theirs: Int32)]
        do { sockets = try (1..<own.count).map { _ in try makeSocketPair() } } catch {
            throw TaskError(.refused, "the ranks of the task cannot be started: \(error)")
        }
        channels = sockets.map { RankChannel(descriptor: $0.ours) }
        state = Mutex(State(living: own.count - 1))
        for (index, socket) in sockets.enumerated() {
            try await start(Rank(number: index + 1, count: own.count), arguments, socket.theirs).get()
        }
    }

    /// Those that a launcher has started beside this one.
    init(launched own: Rank, through channel: WorkerChannel) {
        (count, isLaunched) = (own.count, true)
        channels = [RankChannel(toAllThrough: channel)]
        state = Mutex(State())
    }

    /// On a thread that lasts as long as the rank: it gets SIGKILL when that ends, and no later.
    private func start(_ rank: Rank, _ arguments: [String], _ socket: Int32) async -> Result<Void, TaskError> {
        await withCheckedContinuation { continuation in
            startThread { [self] in
                let process: pid_t
                do throws(TaskError) {
                    process = try CommandRunner.start(
                        arguments, environment: rank.variables(with: environmentVariables()), directory: nil,
                        CommandRunner.Descriptors(input: -1, output: 1, errors: 2, socket: socket))
                } catch {
                    closeDescriptor(socket)
                    return continuation.resume(returning: .failure(error))
                }
                closeDescriptor(socket)
                continuation.resume(returning: .success(()))
                var status: Int32 = 0
                while waitpid(process, &status, 0) < 0 && errno == EINTR {}
                ended(rank, status)
            }
        }
    }

    private func ended(_ rank: Rank, _ status: Int32) {
        let (isExpected, waiting) = state.withLock { state in
            state.living -= 1
            return (state.isEnding, state.living == 0 ? state.waiting : nil)
        }
        waiting?.resume()
        guard !isExpected else { return }
        let end = ProcessEnd(waitStatus: status)
        let message = "rank \(rank.number) of \(rank.count) \(end)\n"
        _ = write(2, message, message.utf8.count)
        if case .signalled(let signal) = end {
            Glibc.signal(signal, SIG_DFL)
            kill(getpid(), signal)
            sleep(1)
        }
        if case .exited(let status) = end { _exit(status) }
        _exit(1)
    }

    func blob(_ id: UInt64, _ bytes: [UInt8]) { for channel in channels { channel.blob(id, bytes) } }
    func forget(_ id: UInt64) { for channel in channels { channel.forget(id) } }
    func initialize(_ index: Int, _ ids: [UInt64]) { for channel in channels { channel.initialize(index, blobs: ids) } }

    /// Has all ranks run a call, `own` on this one; their answers by rank, or the first error. After an error nothing can be asked of
    /// the group any more: others may wait for ever for the one that failed.
    func answers(
        to call: WorkerChannel.Call, own: @escaping @Sendable () async -> WorkerChannel.Answer
    ) async -> Result<[[UInt8]], RankError> {
        for channel in channels { channel.call(call) }
        return await answers(own: own)
    }

    /// The same for what was passed on already.
    func answers(own: @escaping @Sendable () async -> WorkerChannel.Answer) async -> Result<[[UInt8]], RankError> {
        await withCheckedContinuation { continuation in
            let collector = AnswerCollector(count: count, continuation)
            if isLaunched {
                let (channel, others) = (channels[0], count - 1)
                startThread {
                    for _ in 0..<others {
                        guard let (rank, answer) = channel.nextAnswer() else { _exit(0) }
                        guard let answer else { Self.isLost(rank) }
                        collector.add(answer, of: rank)
                    }
                }
                Task { collector.add(await own(), of: 0) }
                return
            }
            for (index, channel) in channels.enumerated() {
                // Where it has no answer it is gone, and so is this process in a moment.
                startThread { if let answer = channel.answer() { collector.add(answer, of: index + 1) } }
            }
            Task { collector.add(await own(), of: 0) }
        }
    }

    /// Where a rank has ended without an answer the others wait for ever. The launcher ends them, and says how that one ended; where it
    /// saw nothing wrong, it does so when this one ends.
    private static func isLost(_ rank: Int) -> Never {
        sleep(5)
        let message = "rank \(rank) has ended while the others run\n"
        _ = write(2, message, message.utf8.count)
        _exit(1)
    }

    /// From now on ranks that end take nothing with them.
    func abandon() { state.withLock { $0.isEnding = true } }

    /// Ends the other ranks as programs end, and waits for that.
    func end() async {
        abandon()
        for channel in channels { channel.end() }
        await withCheckedContinuation { continuation in
            let isOver = state.withLock { state in
                if state.living > 0 { state.waiting = continuation }
                return state.living == 0
            }
            if isOver { continuation.resume() }
        }
    }
}

/// The error of a rank, as it is sent.
struct RankError: Error {
    let report: [UInt8]
}

/// The answers of ranks until all are there, or one is an error.
private final class AnswerCollector: Sendable {
    private struct State {
        var values: [Int: [UInt8]] = [:]
        var waiting: CheckedContinuation<Result<[[UInt8]], RankError>, Never>?
    }

    private let count: Int
    private let state: Mutex<State>

    init(count: Int, _ continuation: CheckedContinuation<Result<[[UInt8]], RankError>, Never>) {
        self.count = count
        state = Mutex(State(waiting: continuation))
    }

    func add(_ answer: WorkerChannel.Answer, of rank: Int) {
        let end = state.withLock {
            state -> (CheckedContinuation<Result<[[UInt8]], RankError>, Never>, Result<[[UInt8]], RankError>)? in
            guard let waiting = state.waiting else { return nil }
            switch answer {
            case .error(let report):
                state.waiting = nil
                return (waiting, .failure(RankError(report: report)))
            case .value(let bytes):
                state.values[rank] = bytes
                guard state.values.count == count else { return nil }
                state.waiting = nil
                return (waiting, .success((0..<count).map { state.values[$0] ?? [] }))
            }
        }
        if let (waiting, result) = end { waiting.resume(returning: result) }
    }
}
