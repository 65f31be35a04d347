// SPDX-License-Identifier: BSD-3-Clause
import Glibc

/// Finds the first line in which Swift's runtime says why a process stops. What it prints after that, a backtrace, is longer than the
/// last lines that are kept.
package struct FatalLine: Sendable {
    private static let mark = Array("Fatal error:".utf8)
    private static let longest = 4096

    /// Without its end; empty: none was found.
    private var found: [UInt8] = []
    /// What was printed since the last whole line.
    private var begun: [UInt8] = []

    package init() {}

    package mutating func read(_ bytes: some Collection<UInt8>) {
        guard found.isEmpty else { return }
        begun.append(contentsOf: bytes)
        let newline = UInt8(ascii: "\n")
        guard let end = begun.lastIndex(of: newline) else {
            if begun.count > Self.longest { begun = [] }
            return
        }
        if Self.contains(begun, Self.mark) {
            for line in begun[..<end].split(separator: newline) where Self.isFatal(line) {
                found = Array(line.prefix(Self.longest))
                begun = []
                return
            }
        }
        begun.removeFirst(end + 1)
    }

    private static func contains(_ bytes: [UInt8], _ part: [UInt8]) -> Bool {
        bytes.withUnsafeBytes { all in
            var start = 0
            while start + part.count <= all.count, let next = memchr(all.baseAddress! + start, Int32(part[0]), all.count - start)
            {
                let offset = UnsafeRawPointer(next) - all.baseAddress!
                if offset + part.count <= all.count, memcmp(next, part, part.count) == 0 { return true }
                start = offset + 1
            }
            return false
        }
    }

    private static func isFatal(_ line: ArraySlice<UInt8>) -> Bool {
        line.starts(with: mark) || String(decoding: line, as: UTF8.self).contains(": Fatal error:")
    }

    /// The last that was printed, after the line where that is not in it.
    package func before(_ tail: [UInt8]) -> [UInt8] {
        guard !found.isEmpty, !Self.contains(tail, found) else { return tail }
        return found + Array("\n…\n".utf8) + tail
    }
}
