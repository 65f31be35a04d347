// SPDX-License-Identifier: BSD-3-Clause
import CSwiftlet
import Glibc

/// Which build of a program a file is. Types are found by name and values decoded by their layout, so submitter and worker must
/// be of one build.
struct BuildIdentity: Equatable {
    /// Where the file lies, its size and its times: equal for the same untouched file.
    let file: String
    /// What is in it.
    let content: UInt64

    /// What workers that run `program` are to be; nil: this program.
    /// - Throws: ``TaskError`` (`refused`) where there is no such file.
    static func expected(of program: String?) throws(TaskError) -> BuildIdentity {
        if let identity = BuildIdentity(path: program ?? "/proc/self/exe") { return identity }
        throw TaskError(.refused, "the program \(program ?? "") cannot be read: \(String(cString: strerror(errno)))")
    }

    init?(path: String) {
        guard let file = Self.file(path), let content = Self.content(path) else { return nil }
        self.file = file
        self.content = content
    }

    /// As it stands among a worker's arguments.
    var text: String { "\(file)/\(content)" }

    /// Why the running program is not the one that was expected; nil where it is.
    static func mismatch(with expected: String) -> String? {
        guard let slash = expected.lastIndex(of: "/"), let content = UInt64(expected[expected.index(after: slash)...]) else {
            return "it was started with arguments it does not understand"
        }
        // Mostly the file is untouched, and need not be read.
        if Self.file("/proc/self/exe") == String(expected[..<slash]) || Self.content("/proc/self/exe") == content { return nil }
        return "the worker's program is not the one that the task was submitted with: it was rebuilt or replaced meanwhile"
    }

    private static func file(_ path: String) -> String? {
        var info = stat()
        guard stat(path, &info) == 0 else { return nil }
        return "\(info.st_dev).\(info.st_ino).\(info.st_size).\(info.st_mtim.tv_sec).\(info.st_mtim.tv_nsec)"
    }

    private static func content(_ path: String) -> UInt64? {
        var sum: UInt64 = 0
        return sl_file_identity(path, &sum) == 0 ? sum : nil
    }
}
