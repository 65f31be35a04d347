// SPDX-License-Identifier: BSD-3-Clause
import Glibc
import SwiftletEngine

/// What the program does when it was started as a worker: one call after the other, until the engine is gone.
enum WorkerProcess {
    static func run() async -> Never {
        let channel = WorkerChannel(descriptor: 3)
        var types: [UInt64: String] = [:]
        while let message = channel.next() {
            switch message {
            case .blob(let id, let bytes): types[id] = String(decoding: bytes, as: UTF8.self)
            case .forget(let id): types[id] = nil
            case .initialize: channel.ready()
            case .call(let call):
                let result = await perform(call, type: call.blobs.first.flatMap { types[$0] })
                fflush(nil)
                channel.answer(call, result)
                if call.isLast { exit(0) }
            case .end: exit(0)
            }
        }
        _exit(0)  // the engine is gone, and nobody is left who wants an answer
    }

    private static func perform(_ call: WorkerChannel.Call, type name: String?) async -> Result<[UInt8], TaskError> {
        guard let name, let type = TaskTypeName.type(named: name) else {
            return .failure(
                TaskError(
                    code: .refused, description: "the worker has no task type \(name ?? "?"): is it the same program?",
                    errorOutput: ""))
        }
        do {
            return .success(try await perform(type, call.arguments))
        } catch let error as TaskError {
            return .failure(error)
        } catch {
            return .failure(TaskError(code: .failed, description: "\(error)", errorOutput: ""))
        }
    }

    private static func perform<T: RemoteTask>(_ type: T.Type, _ arguments: [UInt8]) async throws -> [UInt8] {
        try TaskCoding.encode(try await TaskCoding.decode(type, arguments).run())
    }
}
