// SPDX-License-Identifier: BSD-3-Clause
import CSwiftlet
import Glibc
import SwiftletWire

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

/// Reads what is there from a socket, at most `space.count` bytes, and adds the descriptors that came along to `received`.
/// The result is that of recvmsg(2).
func receiveBytes(_ socket: Int32, into space: UnsafeMutableRawBufferPointer, _ received: inout [Int32]) -> Int {
    var descriptors: (Int32, Int32, Int32, Int32, Int32, Int32, Int32, Int32) = (0, 0, 0, 0, 0, 0, 0, 0)
    var count: Int32 = 0
    return withUnsafeMutableBytes(of: &descriptors) { raw in
        let pointer = raw.baseAddress!.assumingMemoryBound(to: Int32.self)
        let size = sl_receive(socket, space.baseAddress!, space.count, pointer, 8, &count)
        received.append(contentsOf: UnsafeBufferPointer(start: pointer, count: Int(count)))
        return size
    }
}

extension [Int32] {
    /// The first of those that have come, for the frame at hand.
    mutating func takeDescriptors(_ count: Int) throws(WireError) -> [Int32] {
        guard self.count >= count else { throw WireError("a frame came without its descriptors") }
        defer { removeFirst(count) }
        return Array(prefix(count))
    }
}

/// A system call that failed.
public struct SystemError: Error, CustomStringConvertible, Sendable {
    public let description: String

    /// What could not be done; the reason is taken from errno.
    public init(doing what: String) { description = "cannot \(what): \(systemErrorText())" }

    /// Something that went wrong without the system saying so.
    public init(description: String) { self.description = description }
}
