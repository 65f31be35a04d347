// SPDX-License-Identifier: BSD-3-Clause
import CSwiftlet
import Glibc
import SwiftletTransport

/// Starts workers that are the guardian's own program, one for each call: by forking a copy that was loaded for that
/// (docs/decisions/0017-forks-of-a-loaded-program.md) once two in a row were alike.
final class ProgramForkServer {
    /// What a copy has taken on when it was loaded, and its children share: libraries read the environment and count cores.
    private struct Surroundings: Equatable {
        var arguments: [String]
        var environment: [String]
        /// Variables that may differ: each has a place in the copy's environment.
        var ownCount: Int
        var coreCount: Int
    }

    private struct Server {
        let process: pid_t
        let socket: Int32
        let surroundings: Surroundings
        /// It has said that it can fork.
        var isUp = false
    }

    private var server: Server?
    private var last: Surroundings?
    /// A copy could not fork, or did not answer; no further one is tried.
    private var isRefused = false

    /// Milliseconds for an answer: a fork takes less than one.
    private static let patience: Int32 = 5000

    /// The fork server's process, which is no worker's.
    var process: pid_t? { server?.process }

    /// The worker's process, or why there is none; nil: it is to be started as any other program.
    func start(
        _ arguments: [String], environment: [String], directory: String?, socket: Int32, output: Int32, errors: Int32,
        cores: [Int]
    ) -> Result<pid_t, SpawnError>? {
        guard !isRefused, let program = arguments.first, Self.isOwnProgram(program) else { return nil }
        let inherited = environment.filter { !$0.hasPrefix("SWIFTLET_") }
        let wanted = Surroundings(
            arguments: arguments, environment: inherited, ownCount: environment.count - inherited.count, coreCount: cores.count)
        defer { last = wanted }
        guard server?.surroundings == wanted else {
            if last == wanted { replace(wanted, environment: environment, cores: cores) }
            return nil
        }
        guard isUp(), let server else { return nil }
        switch ask(environment, directory, [socket, output, errors], cores) {
        case .unsent:
            close()
            return nil
        case .answer(let process) where process > 0: return .success(process)
        case .answer(let error):
            let reason = String(cString: strerror(-error))
            return .failure(SpawnError(description: "cannot start \(program)\(directory.map { " in \($0)" } ?? ""): \(reason)"))
        case .none:
            // There may be a child, so that the call must not be given to another process, too.
            isRefused = true
            close()
            return .failure(SpawnError(description: "process \(server.process), from which workers are forked, does not answer"))
        }
    }

    /// This child has been reaped.
    func ended(_ child: pid_t) {
        guard let server, server.process == child else { return }
        if !server.isUp { isRefused = true }
        closeDescriptor(server.socket)
        self.server = nil
    }

    private static func isOwnProgram(_ path: String) -> Bool {
        guard let own, let asked = file(path) else { return false }
        return own == asked
    }

    private static let own = file("/proc/self/exe")

    private static func file(_ path: String) -> (device: dev_t, number: ino_t)? {
        var found = stat()
        return stat(path, &found) == 0 ? (found.st_dev, found.st_ino) : nil
    }

    private func replace(_ surroundings: Surroundings, environment: [String], cores: [Int]) {
        close()
        guard let (ours, theirs) = try? makeSocketPair() else { return }
        defer { closeDescriptor(theirs) }
        let started = Spawn.start(
            surroundings.arguments, environment: environment + ["\(SL_FORK_SERVER)=1", "LD_BIND_NOW=1"], directory: nil,
            socket: theirs, output: 2, errors: 2,
            cores: cores)
        guard case .success(let process) = started else { return closeDescriptor(ours) }
        server = Server(process: process, socket: ours, surroundings: surroundings)
    }

    /// Ends it. Its end is heard of as that of a process nobody waits for.
    private func close() {
        guard let server else { return }
        kill(server.process, SIGKILL)
        closeDescriptor(server.socket)
        self.server = nil
    }

    private func isUp() -> Bool {
        guard let server, !server.isUp else { return server != nil }
        guard answer(within: 0) == server.process else { return false }
        self.server?.isUp = true
        return true
    }

    private enum Reply {
        /// A process id or a negative errno.
        case answer(Int32)
        /// Nothing has reached it.
        case unsent
        case none
    }

    private func ask(_ environment: [String], _ directory: String?, _ descriptors: [Int32], _ cores: [Int]) -> Reply {
        guard let server else { return .unsent }
        var body: [UInt8] = []
        for core in cores { withUnsafeBytes(of: Int32(clamping: core)) { body.append(contentsOf: $0) } }
        for text in [directory ?? ""] + environment {
            body.append(contentsOf: text.utf8)
            body.append(0)
        }
        var request: [UInt8] = []
        for count in [body.count, cores.count] { withUnsafeBytes(of: UInt32(count)) { request.append(contentsOf: $0) } }
        request.append(contentsOf: body)
        var sent = 0
        while sent < request.count {
            let count = request.withUnsafeBytes { bytes in
                sl_send(server.socket, bytes.baseAddress! + sent, bytes.count - sent, descriptors, sent == 0 ? 3 : 0)
            }
            if count < 0 {
                guard errno == EAGAIN, wait(for: POLLOUT, Self.patience) else { return sent == 0 ? .unsent : .none }
                continue
            }
            sent += count
        }
        return answer(within: Self.patience).map { .answer($0) } ?? .none
    }

    private func answer(within milliseconds: Int32) -> Int32? {
        var value: Int32 = 0
        guard let server, wait(for: POLLIN, milliseconds), read(server.socket, &value, 4) == 4 else { return nil }
        return value
    }

    private func wait(for event: Int32, _ milliseconds: Int32) -> Bool {
        guard let server else { return false }
        var ready = pollfd(fd: server.socket, events: Int16(event), revents: 0)
        while true {
            let count = poll(&ready, 1, milliseconds)
            if count >= 0 || errno != EINTR { return count > 0 }
        }
    }
}
