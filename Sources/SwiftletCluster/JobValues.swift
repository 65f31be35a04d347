// SPDX-License-Identifier: BSD-3-Clause

/// A job as its system names it. Elements of one array share a number.
public struct JobID: Hashable, Sendable, CustomStringConvertible {
    public let number: UInt64
    /// Its place in the array; nil: no element of one.
    public let index: Int?

    public init(_ number: UInt64, index: Int? = nil) {
        self.number = number
        self.index = index
    }

    public var description: String { index.map { "\(number)_\($0)" } ?? "\(number)" }
}

/// What a system says of a job.
public enum JobStatus: Hashable, Sendable {
    /// In the queue; the text says what it waits for, where that is known.
    case waiting(String?)
    case running
    /// It is over. The text says why where it ended before it was done: a time limit, memory, a node, somebody's cancel.
    case ended(String?)
    /// It is over, and another one like it would end in the same way: the system can never give it what it asks for.
    case refused(String)
    /// The system does not know it (any more).
    case unknown
}

/// Why a system took no jobs.
public struct JobRefusal: Error, Hashable, Sendable {
    public let reason: String
    /// It takes no more at present: they are tried again later. Otherwise the calls end with this reason.
    public let isTemporary: Bool
    /// There is no room for so many: it may take fewer. Temporary, too.
    public let isForLackOfRoom: Bool

    public init(reason: String, isTemporary: Bool = false, isForLackOfRoom: Bool = false) {
        self.reason = reason
        self.isTemporary = isTemporary || isForLackOfRoom
        self.isForLackOfRoom = isForLackOfRoom
    }
}

/// What a system of jobs can do, and how far it goes. Times are in nanoseconds.
public struct JobLimits: Hashable, Sendable {
    /// The name under which its jobs stand in claims.
    public var system: String
    /// The system has said how far it goes; before that nothing is queued.
    public var areKnown = true
    /// Jobs can wait for other jobs. Otherwise a call is queued when its inputs have ended.
    public var hasDependencies: Bool
    /// The most calls of one batch; 1: no arrays, and no batches.
    public var arraySize: Int
    /// A job of a batch may run the call of another one, which is then told `isDone`.
    public var sharesArrays: Bool
    /// Jobs of other clients may be taken out of the queue when their calls are done: nothing depends on them while this client
    /// can wait for the calls itself.
    public var foreignJobsVanish: Bool
    /// The most jobs in the queue at a time.
    public var jobs: Int
    /// Its jobs go on when the client has left.
    public var outlivesClient: Bool
    /// How often it is asked for all jobs; nil: it tells of every change by itself.
    public var queryInterval: UInt64?
    /// How often entries are looked for whose end nobody tells.
    public var checkInterval: UInt64
    /// How long an entry may take to become visible after its job is said to be over.
    public var visibleWithin: UInt64
    /// How long calls are gathered after the last one.
    public var gathering: UInt64

    public init(
        system: String, hasDependencies: Bool = true, arraySize: Int = 1000, sharesArrays: Bool = false,
        foreignJobsVanish: Bool = false, jobs: Int = .max, outlivesClient: Bool = true,
        queryInterval: UInt64? = 30_000_000_000, checkInterval: UInt64 = 1_000_000_000, visibleWithin: UInt64 = 90_000_000_000,
        gathering: UInt64 = 50_000_000
    ) {
        self.system = system
        self.hasDependencies = hasDependencies
        self.arraySize = arraySize
        self.sharesArrays = sharesArrays
        self.foreignJobsVanish = foreignJobsVanish
        self.jobs = jobs
        self.outlivesClient = outlivesClient
        self.queryInterval = queryInterval
        self.checkInterval = checkInterval
        self.visibleWithin = visibleWithin
        self.gathering = gathering
    }
}
