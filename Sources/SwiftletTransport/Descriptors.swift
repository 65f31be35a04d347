// SPDX-License-Identifier: BSD-3-Clause
import CSwiftlet
import Glibc

/// close(2), named so that it does not clash with a type's own `close`.
public func closeDescriptor(_ descriptor: Int32) { _ = Glibc.close(descriptor) }

/// Why the last system call failed.
public func systemErrorText() -> String { String(cString: strerror(errno)) }

/// Two connected sockets, closed on exec.
public func makeSocketPair() throws(SystemError) -> (ours: Int32, theirs: Int32) {
    var pair: [Int32] = [0, 0]
    guard sl_socketpair(&pair) == 0 else { throw SystemError(doing: "make a socket pair") }
    return (pair[0], pair[1])
}

/// A pipe, closed on exec; the reading end does not block.
public func makePipe() throws(SystemError) -> (reading: Int32, writing: Int32) {
    var pair: [Int32] = [0, 0]
    guard sl_pipe(&pair) == 0 else { throw SystemError(doing: "make a pipe") }
    _ = sl_set_nonblocking(pair[0])
    return (pair[0], pair[1])
}

/// A system call that failed.
public struct SystemError: Error, CustomStringConvertible, Sendable {
    public let description: String

    /// What could not be done; the reason is taken from errno.
    public init(doing what: String) { description = "cannot \(what): \(systemErrorText())" }

    /// Something that went wrong without the system saying so.
    public init(description: String) { self.description = description }
}
