// SPDX-License-Identifier: BSD-3-Clause
import SwiftletTransport
import Testing

@Suite struct FifoTests {
    @Test func givesWhatWasAppendedInOrder() {
        var fifo = Fifo<Int>()
        var (appended, taken) = (0, 0)
        // Never empty for long stretches, so that what was taken is cleared away in between.
        for step in 1...1000 {
            for _ in 0..<step % 7 {
                fifo.append(appended)
                appended += 1
            }
            for _ in 0..<min(step % 5, appended - taken) {
                #expect(fifo.next() == taken)
                taken += 1
            }
        }
        while let next = fifo.next() {
            #expect(next == taken)
            taken += 1
        }
        #expect(taken == appended)
        #expect(fifo.isEmpty)
    }

    @Test func removesTheOldestThatFits() {
        var fifo = Fifo<Int>()
        for number in [1, 2, 3, 2] { fifo.append(number) }
        #expect(fifo.next() == 1)
        let removed = [fifo.remove { $0 == 2 }, fifo.remove { $0 == 1 }]
        #expect(removed == [true, false])
        #expect([fifo.next(), fifo.next(), fifo.next()] == [3, 2, nil])
    }
}
