// SPDX-License-Identifier: BSD-3-Clause
import CSwiftlet
import Glibc
import SwiftletEngine
import SwiftletLaunch
import Synchronization

/// What the program does when it was started as a worker: one call after the other, until the engine is gone.
struct WorkerProcess {
    private let channel: WorkerChannel
    private var blobs: [UInt64: [UInt8]] = [:]
    private var types: [UInt64: any RemoteTask.Type] = [:]
    private var index: Int?
    private let rank: Rank
    /// The other ranks, where this is rank 0 of several.
    private let group: RankGroup?
    /// Why this process can run nothing.
    private let fault: TaskError?

    /// A worker that was given its connection.
    static func run(build: String?) async -> Never {
        var worker = await WorkerProcess(WorkerChannel(descriptor: 3), build: build, .fromEnvironment())
        await worker.serve()
    }

    /// A worker that is a job step: it connects by itself, and ends with its connection, whatever its task is doing.
    static func runStep(build: String?) async -> Never {
        let step = getenv("SLURM_STEP_ID").flatMap { step in
            getenv("SLURM_JOB_ID").map { "\(String(cString: $0)).\(String(cString: step))" }
        }
        _ = sl_become_subreaper()
        do {
            let rank = Rank.fromEnvironment()
            let channel = try WorkerChannel(connectingAs: step, rank: rank.isLaunched ? rank.number : 0)
            channel.whenClosed { endWithoutEngine() }
            var worker = await WorkerProcess(channel, build: build, rank)
            await worker.serve()
        } catch {
            let message = "swiftlet: \(error)\n"
            _ = write(2, message, message.utf8.count)
            exit(1)
        }
    }

    /// Seconds that a task without an engine has to end by itself, and then after SIGTERM.
    private static let grace: UInt32 = 2

    private static func endWithoutEngine() -> Never {
        sleep(grace)
        kill(getpid(), SIGTERM)
        sleep(grace)
        _ = endAllDescendants()
        kill(getpid(), SIGKILL)
        _exit(1)
    }

    private init(_ channel: WorkerChannel, build: String?, _ rank: Rank) async {
        self.channel = channel
        self.rank = rank
        TaskContext.processBecame(rank)
        var fault = build.flatMap { BuildIdentity.mismatch(with: $0) }.map { TaskError(.refused, $0) }
        var group: RankGroup?
        if rank.number == 0, rank.count > 1, rank.isLaunched {
            group = RankGroup(launched: rank, through: channel)
        } else if rank.number == 0, rank.count > 1, fault == nil {
            do {
                group = try await RankGroup(rank, arguments: ["/proc/self/exe", ProcessRole.worker] + (build.map { [$0] } ?? []))
                rank.takePart()
            } catch { fault = error }
        }
        self.group = group
        self.fault = fault
    }

    private mutating func serve() async -> Never {
        while let message = channel.next() {
            switch message {
            case .blob(let id, let bytes):
                blobs[id] = bytes
                group?.blob(id, bytes)
            case .forget(let id):
                blobs[id] = nil
                types[id] = nil
                group?.forget(id)
            case .initialize(let index, let ids): await prepare(index, ids)
            case .call(let call): await answer(call)
            case .end: await leave()
            }
        }
        _exit(0)  // the engine is gone, and nobody is left who wants an answer
    }

    private func leave() async -> Never {
        await group?.end()
        exit(0)
    }

    // MARK: preparing

    private mutating func prepare(_ index: Int, _ ids: [UInt64]) async {
        self.index = index
        group?.initialize(index, ids)
        let (fault, name, bytes) = (fault, ids.first.flatMap { blobs[$0] }, ids.last.flatMap { blobs[$0] })
        let own: @Sendable () async -> WorkerChannel.Answer = {
            do {
                if let fault { throw fault }
                if let name, let bytes { try await Self.prepare(String(decoding: name, as: UTF8.self), bytes) }
                return .value([])
            } catch {
                return .error(Self.report(error))
            }
        }
        let answer = await together(own) { await $0.answers(own: own) }
        fflush(nil)
        switch answer {
        case .success: channel.ready()
        case .failure(let error):
            group?.abandon()
            channel.cannotPrepare(error.report)
        }
    }

    private static func prepare(_ name: String, _ bytes: [UInt8]) async throws {
        guard let type = TypeName.type(named: name) as? any WorkerPreparation.Type else {
            throw TaskError(.refused, "the worker has no type \(name): is it the same program?")
        }
        try await prepare(type, bytes)
    }

    private static func prepare<P: WorkerPreparation>(_ type: P.Type, _ bytes: [UInt8]) async throws {
        let state = try await TaskCoding.decode(type, bytes).prepare()
        PreparedState.value.withLock { $0 = (type, state) }
    }

    // MARK: calls

    private mutating func answer(_ call: WorkerChannel.Call) async {
        let type: Result<any RemoteTask.Type, TaskError> = Result { () throws(TaskError) in
            if let fault { throw fault }
            return try self.type(of: call)
        }
        let context = TaskContext(attempt: call.attempt, workerIndex: index, rank: rank.number, rankCount: rank.count)
        let directory = call.blobs.dropFirst().first.flatMap { blobs[$0] }
        let own: @Sendable () async -> WorkerChannel.Answer = {
            do {
                let type = try type.get()
                let place = try directory.map { try WorkingDirectory(enter: $0) }
                defer { place?.leave() }
                return .value(try await TaskContext.$current.withValue(context) { try await Self.perform(type, call) })
            } catch {
                return .error(Self.report(error))
            }
        }
        let answers = await together(own) { await $0.answers(to: call, own: own) }
        fflush(nil)
        switch answers {
        case .success(let values):
            let isOfAll = rank.number == 0 && (try? type.get()) is any RanksTask.Type
            channel.answer(call, .value(isOfAll ? TaskCoding.array(of: values) : values[0]))
        case .failure(let error):
            channel.answer(call, .error(error.report), leaving: group != nil)
            if let group {
                // The others may wait for ever for the one that failed; they end with this process.
                group.abandon()
                // A launcher ends the others when one has failed.
                if group.isLaunched { _exit(1) }
                exit(0)
            }
        }
        if call.isLast { await leave() }
    }

    /// On all ranks, where there are several.
    private func together(
        _ own: @Sendable () async -> WorkerChannel.Answer, _ all: (RankGroup) async -> Result<[[UInt8]], RankError>
    ) async -> Result<[[UInt8]], RankError> {
        if let group { return await all(group) }
        switch await own() {
        case .value(let bytes): return .success([bytes])
        case .error(let report): return .failure(RankError(report: report))
        }
    }

    private static func perform<T: RemoteTask>(_ type: T.Type, _ call: WorkerChannel.Call) async throws -> [UInt8] {
        let task = try TaskCoding.decode(type, call.arguments, inputs: call.inputs)
        if let ranks = task as? any RanksTask { return try await ranks.encodedPart() }
        return try TaskCoding.encode(try await task.run())
    }

    private mutating func type(of call: WorkerChannel.Call) throws(TaskError) -> any RemoteTask.Type {
        let id = call.blobs.first ?? 0
        if let type = types[id] { return type }
        let name = String(decoding: blobs[id] ?? [], as: UTF8.self)
        guard let type = TypeName.type(named: name) as? any RemoteTask.Type else {
            throw TaskError(.refused, "the worker has no task type \(name): is it the same program?")
        }
        types[id] = type
        return type
    }

    private static func report(_ error: any Error) -> [UInt8] {
        (try? TaskCoding.encode(ErrorReport(error))) ?? []
    }
}
