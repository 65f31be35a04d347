// SPDX-License-Identifier: BSD-3-Clause
import Glibc
import Swiftlet

/// What a worker is at its beginning.
struct Birth: RemoteTask {
    struct Facts: Codable, Sendable {
        /// Where the program lies in memory: the same in processes that were forked from one another.
        let place: UInt
        let process: pid_t
        let parent: pid_t
        let session: pid_t
        let group: pid_t
        let arguments: [String]
        let environment: [String: String]
        /// The environment lies behind the arguments, where the kernel puts it.
        let isEnvironmentInPlace: Bool
        let directory: String
        let cores: String
        /// The main thread's id as the kernel and as the C library say it.
        let threads: [Int]
        let descriptors: [Int32]
    }

    func run() async throws -> Facts {
        let status = try Self.lines("/proc/self/status")
        let threads = await MainActor.run { Self.threadIDs() }
        return Facts(
            place: UInt(bitPattern: dlsym(nil, "strtol")), process: getpid(), parent: getppid(), session: getsid(0),
            group: getpgrp(),
            arguments: CommandLine.arguments, environment: environment(),
            isEnvironmentInPlace: environ == CommandLine.unsafeArgv + Int(CommandLine.argc) + 1,
            directory: String(cString: getcwd(nil, 0)),
            cores: status.first { $0.hasPrefix("Cpus_allowed_list:") }.map(String.init) ?? "", threads: threads,
            descriptors: (0..<4).filter { fcntl($0, F_GETFD) == 0 })
    }

    private static func lines(_ path: String) throws -> [Substring] {
        guard let file = fopen(path, "r") else { throw Lost() }
        defer { fclose(file) }
        var bytes = [UInt8](repeating: 0, count: 65536)
        let count = fread(&bytes, 1, bytes.count, file)
        return String(decoding: bytes.prefix(count), as: UTF8.self).split(separator: "\n")
    }

    struct Lost: Error {}

    /// This thread's id as the kernel says it, and as the C library has kept it.
    private static func threadIDs() -> [Int] {
        var link = [UInt8](repeating: 0, count: 100)
        let count = link.withUnsafeMutableBytes { readlink("/proc/thread-self", $0.baseAddress!, $0.count) }
        let kernels = String(decoding: link.prefix(max(0, count)), as: UTF8.self).split(separator: "/").last.flatMap { Int($0) }
        var clock: clockid_t = 0
        pthread_getcpuclockid(pthread_self(), &clock)
        return [kernels ?? 0, Int(~(clock >> 3))]
    }

    private func environment() -> [String: String] {
        var result: [String: String] = [:]
        var next = environ
        while let variable = next.pointee {
            let text = String(cString: variable)
            let equal = text.firstIndex(of: "=") ?? text.endIndex
            result[String(text[..<equal])] = String(text[equal...].dropFirst())
            next += 1
        }
        return result
    }
}
