// SPDX-License-Identifier: BSD-3-Clause
import CSwiftlet
import Glibc
import Synchronization

/// A thread that writes to a descriptor what it is given, so that a slow reader or file system never holds up the giver.
public final class WriterThread: Sendable {
    private let waiting = Mutex<[UInt8]>([])
    private let wakeup: Int32

    /// - Parameters:
    ///   - descriptor: where to write; it stays open.
    ///   - written: called on the writing thread with the number of bytes after each write.
    public init(descriptor: Int32, written: @escaping @Sendable (Int) -> Void = { _ in }) {
        var pipe: [Int32] = [-1, -1]
        let result = sl_pipe(&pipe)
        precondition(result == 0, "no pipe could be made")
        wakeup = pipe[1]
        let reading = pipe[0]
        startThread { [weak self] in
            var byte: UInt8 = 0
            while read(reading, &byte, 1) > 0 {
                guard let bytes = self?.take() else { break }
                var sent = 0
                while sent < bytes.count {
                    let count = bytes.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress! + sent, $0.count - sent) }
                    if count < 0 && errno == EINTR { continue }
                    guard count > 0 else { break }  // nobody reads any more: what was printed is dropped, as by a closed terminal
                    sent += count
                }
                written(bytes.count)
            }
            closeDescriptor(reading)
        }
    }

    deinit { closeDescriptor(wakeup) }

    /// Adds bytes to what is to be written; never waits.
    public func write(_ bytes: some Sequence<UInt8>) {
        let wasEmpty = waiting.withLock { waiting in
            defer { waiting.append(contentsOf: bytes) }
            return waiting.isEmpty
        }
        var byte: UInt8 = 1
        if wasEmpty { _ = Glibc.write(wakeup, &byte, 1) }
    }

    private func take() -> [UInt8] {
        waiting.withLock { waiting in
            defer { waiting = [] }
            return waiting
        }
    }
}

/// Starts a thread that lasts as long as its body.
public func startThread(_ body: @escaping @Sendable () -> Void) {
    final class Box {
        let body: @Sendable () -> Void
        init(_ body: @escaping @Sendable () -> Void) { self.body = body }
    }
    var thread = pthread_t()
    let box = Unmanaged.passRetained(Box(body)).toOpaque()
    let result = pthread_create(
        &thread, nil,
        { pointer in
            Unmanaged<Box>.fromOpaque(pointer!).takeRetainedValue().body()
            return nil
        }, box)
    precondition(result == 0, "no thread could be started")
    pthread_detach(thread)
}
