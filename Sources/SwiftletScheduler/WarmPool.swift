// SPDX-License-Identifier: BSD-3-Clause
import SwiftletModel

/// The numbers of the pool of warm workers. (Empty and unused in fresh mode.)
struct WarmPool {
    /// How many workers there should be.
    var target: Int
    /// How many there are, with those that wait for their back-off and those that are ending.
    var size = 0
    /// Why it can run nothing any more.
    var failure: String?
    /// Workers in a row that died before they were ready.
    var deathsBeforeReady = 0
    /// Workers in a row that died without a call having ended in between.
    var deathsInARow = 0

    private var freeIndices = MinHeap<Int>()
    private var nextIndex = 0

    init(_ mode: WorkerMode) {
        switch mode {
        case .fresh: target = 0
        case .warm(let count, _): target = max(0, count)
        }
    }

    /// The lowest place that no worker has.
    mutating func takeIndex() -> Int {
        if let index = freeIndices.popFirst() { return index }
        nextIndex += 1
        return nextIndex - 1
    }

    mutating func giveBack(_ index: Int) { freeIndices.insert(index) }

    /// How long the replacement of a worker that died has to wait.
    var backOff: UInt64 {
        deathsInARow <= 1 ? 0 : Patience.backOff(afterFailures: deathsInARow - 1)
    }
}

/// Every length of time, and every number of tries, the scheduler goes by.
enum Patience {
    private static let millisecond: UInt64 = 1_000_000

    /// Workers whose calls take less than this on average are given calls ahead.
    static let shortCall = 200_000.0
    /// How many calls a worker is given ahead: work for half a millisecond, within these limits.
    static let prefetchDepth = 16...128
    static let prefetchedWork = 500_000.0
    /// One call more for so much time that words are under way, and at most how many.
    static let delayPerCall = millisecond / 10
    static let furtherDepth: UInt64 = 64
    /// A call that has run for longer than this keeps no other call waiting behind it.
    static let behindCall = millisecond
    /// The same where the words of ends are long under way.
    static let longestDelay = 50 * millisecond
    /// How long such a call may go unnoticed while all workers are busy.
    static let betweenLooks = 10 * millisecond
    /// How long a worker may take to answer whether it has begun a call that was cancelled.
    static let recallAnswer = 50 * millisecond
    /// Workers in a row that die before they are ready, until the pool is given up.
    static let deathsBeforeReady = 3
    /// How often a fresh worker that could not be started is tried again.
    static let startRetries = 3
    /// How many fresh workers in a row that could not be started before calls are no longer tried again.
    static let startFailuresInARow = 8
    /// How often a task goes back to the queue because of deaths that are not its fault.
    static let uncharged = 10

    /// 0.1 s, doubled with each failure after the first, at most 5 s.
    static func backOff(afterFailures count: Int) -> UInt64 {
        min(5_000 * millisecond, 100 * millisecond << UInt64(min(max(count, 1) - 1, 10)))
    }
}
