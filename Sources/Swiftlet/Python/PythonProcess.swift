// SPDX-License-Identifier: BSD-3-Clause
import CSwiftlet
import Glibc
import SwiftletModel
import SwiftletTransport
import Synchronization

/// The Python process of a worker: started with the first call, and again after it has died. It ends with the worker.
enum PythonProcess {
    private typealias Answer = Result<[UInt8], any Error>
    private struct Job: Sendable {
        let request: [UInt8]
        let done: CheckedContinuation<Answer, Never>
    }

    private static let jobs = Mutex<[Job]>([])
    /// Wakes the one thread that starts Python and speaks with it: Python gets SIGKILL when that thread ends.
    private static let wakeup: Int32 = {
        guard let (reading, writing) = try? makePipe() else { fatalError("no pipe could be made") }
        _ = fcntl(reading, F_SETFL, fcntl(reading, F_GETFL) & ~O_NONBLOCK)
        startThread { serve(reading) }
        return writing
    }()

    /// - Throws: ``PythonError`` for what the function raised, ``TaskError`` where there is no answer.
    static func call(_ request: [UInt8]) async throws -> [UInt8] {
        let answer: Answer = await withCheckedContinuation { continuation in
            jobs.withLock { $0.append(Job(request: request, done: continuation)) }
            var byte: UInt8 = 0
            _ = write(wakeup, &byte, 1)
        }
        return try answer.get()
    }

    private static func serve(_ wakeup: Int32) {
        var python: Connection?
        var byte: UInt8 = 0
        while read(wakeup, &byte, 1) > 0 {
            guard let job = jobs.withLock({ $0.isEmpty ? nil : $0.removeFirst() }) else { continue }
            do {
                if python == nil { python = try Connection() }
                job.done.resume(returning: .success(try python!.call(job.request)))
            } catch {
                if !(error is PythonError) { python = nil }
                job.done.resume(returning: .failure(error))
            }
        }
    }

    /// A Python process and its socket.
    private final class Connection {
        private let socket: Int32
        private var process: pid_t
        private let program: String

        init() throws {
            program = getenv("SWIFTLET_PYTHON").map { String(cString: $0) } ?? "python3"
            let (ours, theirs) = try makeSocketPair()
            defer { closeDescriptor(theirs) }
            do throws(TaskError) {
                process = try CommandRunner.start(
                    [program, "-m", "swiftlet._worker._swift_calls"], environment: environmentVariables(), directory: nil,
                    CommandRunner.Descriptors(input: -1, output: 1, errors: 2, socket: theirs))
            } catch {
                closeDescriptor(ours)
                throw error
            }
            socket = ours
        }

        deinit {
            closeDescriptor(socket)
            if process > 0 { _ = reap() }
        }

        /// How it ended. Where its socket is closed and it has not ended yet, it is ended.
        private func reap() -> ProcessEnd {
            var status: Int32 = 0
            kill(process, SIGKILL)
            while waitpid(process, &status, 0) < 0 && errno == EINTR {}
            process = 0
            return ProcessEnd(waitStatus: status)
        }

        func call(_ request: [UInt8]) throws -> [UInt8] {
            guard request.count <= Int(UInt32.max) else {
                throw TaskError(.refused, "the arguments of a Python call have \(request.count) bytes, 4 GiB is the most")
            }
            var frame: [UInt8] = []
            withUnsafeBytes(of: UInt32(request.count).littleEndian) { frame += $0 }
            guard send(frame + request), let head = receive(4),
                let answer = receive(head.enumerated().reduce(0) { $0 | Int($1.element) << (8 * $1.offset) }),
                let kind = answer.first
            else { throw death() }
            let content = Array(answer.dropFirst())
            if kind == 0 { return content }
            throw try TaskCoding.decode(PythonError.self, content)
        }

        private func death() -> TaskError {
            let end = reap()
            let hint = ": is the Python package swiftlet installed for \(program)?"
            return TaskError(.lost, "the Python process \(end)" + (end == .exited(status: 1) ? hint : ""))
        }

        private func send(_ bytes: [UInt8]) -> Bool {
            var sent = 0
            while sent < bytes.count {
                let count = bytes.withUnsafeBytes {
                    Glibc.send(socket, $0.baseAddress! + sent, $0.count - sent, Int32(MSG_NOSIGNAL))
                }
                if count < 0 && errno == EINTR { continue }
                guard count > 0 else { return false }
                sent += count
            }
            return true
        }

        private func receive(_ count: Int) -> [UInt8]? {
            var bytes = [UInt8](repeating: 0, count: count)
            var received = 0
            while received < count {
                let got = bytes.withUnsafeMutableBytes { recv(socket, $0.baseAddress! + received, count - received, 0) }
                if got < 0 && errno == EINTR { continue }
                guard got > 0 else { return nil }
                received += got
            }
            return bytes
        }
    }
}
