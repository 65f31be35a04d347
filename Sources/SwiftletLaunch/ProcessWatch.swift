// SPDX-License-Identifier: BSD-3-Clause
import CSwiftlet
import Glibc
public import SwiftletTransport

/// Hears of the end of a process that is no child of this one. Where the kernel cannot tell (before Linux 5.3) there is none:
/// the end of the process's connection has to do.
public final class ProcessWatch: EventHandler {
    private let descriptor: Int32
    private let loop: EventLoop
    private let onEnd: () -> Void
    private var token: UInt64 = 0

    /// - Parameter onEnd: called once, on the loop's thread.
    public init?(process: Int32, loop: EventLoop, onEnd: @escaping () -> Void) {
        guard getenv("SWIFTLET_NO_PIDFD") == nil else { return nil }
        descriptor = sl_process_watch(process)
        guard descriptor >= 0 else { return nil }
        self.loop = loop
        self.onEnd = onEnd
        token = loop.register(descriptor, for: .read, handler: self)
    }

    deinit { close() }

    public func ready(_ readiness: Readiness) {
        close()
        onEnd()
    }

    private func close() {
        guard token != 0 else { return }
        loop.unregister(token)
        closeDescriptor(descriptor)
        token = 0
    }
}
