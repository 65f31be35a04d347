// SPDX-License-Identifier: BSD-3-Clause
import CSwiftlet
import Glibc
import SwiftletModel

/// A command whose answer serves every engine of a user on a node: who comes while it runs waits for it, who comes soon after it
/// gets the same answer. So many executors load a controller no more than one.
///
/// Runs as a process of its own (`swiftlet shared`), which may wait for locks and files; the kernel frees the lock of one that dies.
public enum SharedCommand {
    /// Prints an answer that is at most `maxAge` nanoseconds old, new or not; never returns.
    public static func run(_ command: [String], maxAge: UInt64) -> Never {
        guard let directory = runtimeDirectory() else { exec(command) }
        let path = "\(directory)/answer-\(digest(of: command))"
        let lock = open(path + ".lock", O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard lock >= 0, flock(lock, LOCK_EX) == 0 else { exec(command) }
        let now = sl_monotonic_ns()
        if let answer = contents(of: path), let asked = SharedAnswer.instant(of: answer)?.nanoseconds, asked <= now,
            now - asked <= maxAge
        {
            close(lock)  // before it may have to wait for a slow reader
            printOut(answer)
            exit(0)
        }
        guard let (status, output) = answer(of: command, at: path + ".new") else { exec(command) }
        let answer = Array(SharedAnswer.header(Instant(nanoseconds: now)).utf8) + output
        // Only what succeeded is shared: who failed asks again.
        if status == 0, write(answer, to: path + ".new") { rename(path + ".new", path) }
        close(lock)
        printOut(answer)
        exit(status)
    }

    /// A directory that nobody else can enter, for as long as the machine runs.
    private static func runtimeDirectory() -> String? {
        let base = getenv("XDG_RUNTIME_DIR").map { String(cString: $0) } ?? "/tmp"
        let path = "\(base)/swiftlet-\(geteuid())"
        mkdir(path, 0o700)
        var status = stat()
        guard lstat(path, &status) == 0, status.st_mode & S_IFMT == S_IFDIR, status.st_uid == geteuid(),
            status.st_mode & 0o077 == 0
        else { return nil }
        return path
    }

    /// Two clusters are told apart by their configuration.
    private static func digest(of command: [String]) -> String {
        let cluster = ["SLURM_CONF", "SLURM_CLUSTERS"].map { (name: String) in getenv(name).map { String(cString: $0) } ?? "" }
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325
        for byte in (cluster + command).joined(separator: "\0").utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
        return String(hash, radix: 16)
    }

    /// Exit status and output; what goes wrong is said on stderr by the command itself.
    private static func answer(of command: [String], at path: String) -> (status: Int32, output: [UInt8])? {
        let file = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
        guard file >= 0 else { return nil }
        defer { close(file) }
        let started = Spawn.start(command, environment: environment(), directory: nil, socket: -1, output: file, errors: 2)
        guard case .success(let process) = started else {
            if case .failure(let error) = started { complain(error.description) }
            return (127, [])
        }
        var status: Int32 = 0
        while waitpid(process, &status, 0) < 0 && errno == EINTR {}
        let exitStatus: Int32 = if case .exited(let code) = ProcessEnd(waitStatus: status) { code } else { 1 }
        return (exitStatus, contents(of: path) ?? [])
    }

    private static func environment() -> [String] {
        var found: [String] = []
        var next = sl_environment()
        while let entry = next?.pointee {
            found.append(String(cString: entry))
            next = next?.advanced(by: 1)
        }
        return found
    }

    private static func contents(of path: String) -> [UInt8]? {
        let file = open(path, O_RDONLY | O_CLOEXEC)
        guard file >= 0 else { return nil }
        defer { close(file) }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            let count = read(file, &chunk, chunk.count)
            guard count > 0 else { return count == 0 ? bytes : nil }
            bytes += chunk[..<count]
        }
    }

    private static func write(_ bytes: [UInt8], to path: String) -> Bool {
        let file = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
        guard file >= 0 else { return false }
        defer { close(file) }
        return writeAll(bytes, to: file)
    }

    private static func writeAll(_ bytes: [UInt8], to file: Int32) -> Bool {
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { Glibc.write(file, $0.baseAddress, $0.count) }
            if count < 0 && errno == EINTR { continue }
            guard count > 0 else { return false }
            rest = rest.dropFirst(count)
        }
        return true
    }

    private static func printOut(_ bytes: [UInt8]) { _ = writeAll(bytes, to: 1) }

    private static func complain(_ text: String) { _ = writeAll(Array("swiftlet: \(text)\n".utf8), to: 2) }

    /// Nothing can be shared: the command alone.
    private static func exec(_ command: [String]) -> Never {
        var argv: [UnsafeMutablePointer<CChar>?] = command.map { strdup($0) } + [nil]
        execvp(argv[0] ?? strdup(""), &argv)
        complain("cannot start \(command.first ?? "nothing"): \(String(cString: strerror(errno)))")
        Glibc.exit(127)
    }
}
