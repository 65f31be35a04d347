// SPDX-License-Identifier: BSD-3-Clause
import Testing

@testable import SwiftletTransport

@Suite struct TimerQueueTests {
    @Test func timersComeInTheOrderOfTheirDeadlines() {
        var queue = TimerQueue()
        var fired: [Int] = []
        for deadline in [5, 1, 4, 2, 3] as [UInt64] { _ = queue.add(at: deadline) { fired.append(Int(deadline)) } }
        #expect(queue.next == 1)
        for action in queue.due(at: 3) { action() }
        #expect(fired == [1, 2, 3])
        #expect(queue.next == 4)
    }

    @Test func aCancelledTimerNeitherFiresNorWakes() {
        var queue = TimerQueue()
        let early = queue.add(at: 1) { Issue.record("was cancelled") }
        _ = queue.add(at: 9) {}
        queue.cancel(early)
        #expect(queue.next == 9)
        #expect(queue.due(at: 5).isEmpty)
    }
}
