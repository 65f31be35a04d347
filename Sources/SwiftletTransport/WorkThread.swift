// SPDX-License-Identifier: BSD-3-Clause
import CSwiftlet
import Glibc
import Synchronization

/// A thread that does one thing after the other for a loop: what may take as long as a file system likes. The answers come back
/// on the loop's thread, in order.
public final class WorkThread<Order: Sendable, Answer: Sendable>: EventHandler {
    private final class Shared: Sendable {
        let orders = Mutex<[(UInt64, Order)]>([])
        let answers = Mutex<[(UInt64, Answer)]>([])
        let wakeup = sl_wakeup_create()
        deinit { closeDescriptor(wakeup) }
    }

    private let shared = Shared()
    private let loop: EventLoop
    /// One byte in it: there are orders. Its end: there will be none any more.
    private let doorbell: Int32
    private var token: UInt64 = 0
    private var waiting: [UInt64: (Answer) -> Void] = [:]
    private var next: UInt64 = 1
    private var isClosed = false

    /// - Parameter work: called on the thread for each order; made there by `makeWork`, so it may keep what is not `Sendable`.
    /// - Throws: `SystemError` where there are no descriptors left.
    public init(loop: EventLoop, makeWork: @escaping @Sendable () -> (Order) -> Answer) throws(SystemError) {
        self.loop = loop
        var pipe: [Int32] = [-1, -1]
        guard sl_pipe(&pipe) == 0 else { throw SystemError(doing: "make a pipe") }
        doorbell = pipe[1]
        let reading = pipe[0]
        let shared = shared
        startThread {
            let work = makeWork()
            var byte: UInt8 = 0
            while true {
                let count = read(reading, &byte, 1)
                if count < 0 && errno == EINTR { continue }
                let orders = shared.orders.withLock { orders in
                    defer { orders = [] }
                    return orders
                }
                for (id, order) in orders {
                    let answer = work(order)
                    shared.answers.withLock { $0.append((id, answer)) }
                    sl_wakeup_signal(shared.wakeup)
                }
                guard count > 0 else { break }
            }
            closeDescriptor(reading)
        }
        token = loop.register(shared.wakeup, for: .read, handler: self)
    }

    deinit { close() }

    /// How many orders have not been answered.
    public var pending: Int { waiting.count }

    /// Has the order done; `answer` is called on the loop's thread.
    public func submit(_ order: Order, answer: @escaping (Answer) -> Void) {
        guard !isClosed else { return }
        let id = next
        next += 1
        waiting[id] = answer
        let wasEmpty = shared.orders.withLock { orders in
            defer { orders.append((id, order)) }
            return orders.isEmpty
        }
        var byte: UInt8 = 1
        if wasEmpty { _ = write(doorbell, &byte, 1) }
    }

    public func ready(_ readiness: Readiness) {
        sl_wakeup_clear(shared.wakeup)
        let answers = shared.answers.withLock { answers in
            defer { answers = [] }
            return answers
        }
        for (id, answer) in answers { waiting.removeValue(forKey: id)?(answer) }
    }

    /// No answer comes any more; orders that were given are still carried out.
    public func close() {
        guard !isClosed else { return }
        isClosed = true
        waiting = [:]
        loop.unregister(token)
        closeDescriptor(doorbell)
    }
}
