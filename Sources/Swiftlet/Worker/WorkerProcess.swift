// SPDX-License-Identifier: BSD-3-Clause
import Glibc
import SwiftletEngine
import Synchronization

/// What the program does when it was started as a worker: one call after the other, until the engine is gone.
struct WorkerProcess {
    private let channel = WorkerChannel(descriptor: 3)
    private var blobs: [UInt64: [UInt8]] = [:]
    private var types: [UInt64: any RemoteTask.Type] = [:]
    private var index: Int?
    /// Why this process can run nothing.
    private let fault: TaskError?

    static func run(build: String?) async -> Never {
        var worker = WorkerProcess(build: build)
        await worker.serve()
    }

    private init(build: String?) {
        fault = build.flatMap { BuildIdentity.mismatch(with: $0) }.map { TaskError(.refused, $0) }
    }

    private mutating func serve() async -> Never {
        while let message = channel.next() {
            switch message {
            case .blob(let id, let bytes): blobs[id] = bytes
            case .forget(let id):
                blobs[id] = nil
                types[id] = nil
            case .initialize(let index, let ids): await prepare(index, ids)
            case .call(let call):
                let result = await perform(call)
                fflush(nil)
                channel.answer(call, result)
                if call.isLast { exit(0) }
            case .end: exit(0)
            }
        }
        _exit(0)  // the engine is gone, and nobody is left who wants an answer
    }

    // MARK: preparing

    private mutating func prepare(_ index: Int, _ ids: [UInt64]) async {
        self.index = index
        do {
            if let fault { throw fault }
            if let name = ids.first.flatMap({ blobs[$0] }), let bytes = ids.last.flatMap({ blobs[$0] }) {
                try await prepare(String(decoding: name, as: UTF8.self), bytes)
            }
            fflush(nil)
            channel.ready()
        } catch {
            fflush(nil)
            channel.cannotPrepare(Self.report(error))
        }
    }

    private func prepare(_ name: String, _ bytes: [UInt8]) async throws {
        guard let type = TypeName.type(named: name) as? any WorkerPreparation.Type else {
            throw TaskError(.refused, "the worker has no type \(name): is it the same program?")
        }
        try await prepare(type, bytes)
    }

    private func prepare<P: WorkerPreparation>(_ type: P.Type, _ bytes: [UInt8]) async throws {
        let state = try await TaskCoding.decode(type, bytes).prepare()
        PreparedState.value.withLock { $0 = state }
    }

    // MARK: calls

    private mutating func perform(_ call: WorkerChannel.Call) async -> WorkerChannel.Answer {
        do {
            if let fault { throw fault }
            let type = try type(of: call)
            let context = TaskContext(attempt: call.attempt, workerIndex: index)
            let directory = try call.blobs.dropFirst().first.flatMap { blobs[$0] }.map { try WorkingDirectory(enter: $0) }
            defer { directory?.leave() }
            return .value(try await TaskContext.$current.withValue(context) { try await Self.perform(type, call) })
        } catch {
            return .error(Self.report(error))
        }
    }

    private static func perform<T: RemoteTask>(_ type: T.Type, _ call: WorkerChannel.Call) async throws -> [UInt8] {
        let task = try TaskCoding.decode(type, call.arguments, inputs: call.inputs)
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

/// The directory of a task, for as long as it runs.
struct WorkingDirectory {
    private let before: Int32

    /// - Throws: ``TaskError`` (`refused`) where it cannot be entered.
    init(enter path: [UInt8]) throws(TaskError) {
        let path = String(decoding: path, as: UTF8.self)
        before = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard chdir(path) == 0 else {
            let reason = String(cString: strerror(errno))
            close(before)
            throw TaskError(.refused, "the working directory \(path) cannot be entered: \(reason)")
        }
    }

    func leave() {
        _ = fchdir(before)
        close(before)
    }
}
