// SPDX-License-Identifier: BSD-3-Clause
import SwiftletCluster
import SwiftletModel

/// What is to be done for agents that are jobs.
enum AgentPlacesAction: Equatable {
    /// Queue a job for each of these places.
    case queue([Int])
    case cancel([JobID])
    /// The job of this place is over, and with it its agent.
    case lost(Int, String)
    /// No job brings an agent: nothing can run.
    case giveUp(String)
    /// Call `timePassed` at this time.
    case wake(at: Instant)
}

/// Decides for which places of the inventory jobs are queued, and when: a place whose job has ended gets another one. A value.
struct AgentPlaces {
    private struct Place {
        var job: JobID?
        /// When its agent came; nil: it has not.
        var came: Instant?
        /// When another job is to be queued.
        var due: Instant?
    }

    private var places: [Place]
    private var failures = 0
    private var hasGivenUp = false
    private var isClosed = false

    /// Jobs in a row that bring no agent, until nothing is queued any more.
    static let tries = 3
    /// An agent that goes sooner than this has not worked, in nanoseconds.
    static let shortLife: UInt64 = 10_000_000_000
    /// When jobs are tried again that the system does not take at present.
    static let retryAfter: UInt64 = 10_000_000_000

    init(count: Int) { places = Array(repeating: Place(), count: count) }

    var jobs: [JobID] { places.compactMap(\.job) }
    private var hasAgents: Bool { places.contains { $0.came != nil } }

    func place(of job: JobID) -> Int? { places.firstIndex { $0.job == job } }
    func job(of place: Int) -> JobID? { places[place].job }
    func hasAgent(_ place: Int) -> Bool { places[place].came != nil }

    func start() -> [AgentPlacesAction] { isClosed ? [] : [.queue(Array(places.indices))] }

    /// The jobs of these places are in the queue.
    mutating func queued(_ indices: [Int], _ jobs: [JobID]) -> [AgentPlacesAction] {
        guard !isClosed, !hasGivenUp else { return [.cancel(jobs)] }
        for (index, job) in zip(indices, jobs) { places[index].job = job }
        return []
    }

    mutating func refused(_ indices: [Int], _ refusal: JobRefusal, at now: Instant) -> [AgentPlacesAction] {
        guard refusal.isTemporary else { return giveUp(refusal.reason) }
        // Where there is no room for all of them, half of them may fit.
        let fewer = refusal.isForLackOfRoom ? Array(indices.prefix(indices.count / 2)) : []
        for index in indices.dropFirst(fewer.count) { places[index].due = now.advanced(by: Self.retryAfter) }
        return (fewer.isEmpty ? [] : [.queue(fewer)]) + wake()
    }

    /// An agent has said which place it is for.
    mutating func came(_ index: Int, at now: Instant) { places[index].came = now }

    /// The connection to an agent is lost: its job may end, another one is queued.
    mutating func lost(_ index: Int, _ reason: String, at now: Instant) -> [AgentPlacesAction] {
        guard let came = places[index].came else { return [] }
        let job = places[index].job
        return (job.map { [.cancel([$0])] } ?? [])
            + again(index, hasFailed: now < came.advanced(by: Self.shortLife), reason, at: now)
    }

    /// The system says that a job is over.
    mutating func ended(_ job: JobID, _ reason: String, at now: Instant) -> [AgentPlacesAction] {
        guard let index = place(of: job), !isClosed else { return [] }
        if places[index].came != nil { return [.lost(index, reason)] }
        return again(index, hasFailed: true, reason, at: now)
    }

    /// The system says that a job can never run, as no other one like it could.
    mutating func cannotRun(_ job: JobID, _ reason: String, at now: Instant) -> [AgentPlacesAction] {
        guard let index = place(of: job), !isClosed else { return [] }
        if hasAgents { return again(index, hasFailed: true, reason, at: now) }
        places[index] = Place()
        return giveUp(reason)
    }

    mutating func timePassed(at now: Instant) -> [AgentPlacesAction] {
        let due = places.indices.filter { index in places[index].due.map { $0 <= now } ?? false }
        for index in due { places[index].due = nil }
        return (due.isEmpty ? [] : [.queue(due)]) + wake()
    }

    /// Nothing is queued any more. Agents are told by their connections, other jobs are taken out of the queue.
    mutating func close() -> [AgentPlacesAction] {
        isClosed = true
        for index in places.indices { places[index].due = nil }
        let waiting = places.filter { $0.came == nil }.compactMap(\.job)
        return waiting.isEmpty ? [] : [.cancel(waiting)]
    }

    private mutating func again(_ index: Int, hasFailed: Bool, _ reason: String, at now: Instant) -> [AgentPlacesAction] {
        guard !isClosed, !hasGivenUp else { return [] }
        places[index] = Place()
        failures = hasFailed ? failures + 1 : 0
        if failures >= Self.tries, !hasAgents {
            return giveUp("\(failures) jobs in a row ended before a worker could be started in them; the last one: \(reason)")
        }
        let delay: UInt64 = hasFailed ? 1_000_000_000 << UInt64(min(failures, 6)) : 0
        places[index].due = now.advanced(by: delay)
        return wake()
    }

    private mutating func giveUp(_ reason: String) -> [AgentPlacesAction] {
        guard !isClosed, !hasGivenUp else { return [] }
        hasGivenUp = true
        for index in places.indices { places[index].due = nil }
        let waiting = places.filter { $0.came == nil }.compactMap(\.job)
        return (waiting.isEmpty ? [] : [.cancel(waiting)]) + [.giveUp(reason)]
    }

    private func wake() -> [AgentPlacesAction] {
        guard let next = places.compactMap(\.due).min() else { return [] }
        return [.wake(at: next)]
    }
}
