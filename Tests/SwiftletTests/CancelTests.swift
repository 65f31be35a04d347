// SPDX-License-Identifier: BSD-3-Clause
import Foundation
import Swiftlet
import Testing

@testable import TestProgram

@Suite struct CancelTests {
    @Test(arguments: [fresh, warm]) func cancellingTheWaitingTaskCancelsTheRemoteOne(
        _ configuration: ExecutorConfiguration
    ) async throws {
        try await withExecutor(configuration) { executor async throws in
            let handle = try executor.submit(Sleeper())
            let waiting = Task { try await handle.value }
            waiting.cancel()
            let error = await #expect(throws: TaskError.self) { try await waiting.value }
            #expect(error?.code == .cancelled)
            #expect(handle.hasEnded)
            #expect(try await executor.run(Square(number: 4)) == 16)
        }
    }

    @Test func cancellingTheScopeCancelsEverythingInIt() async throws {
        try await withDirectory { directory in
            let mark = directory.appending(path: "runs").path
            let scope = Task {
                try await withExecutor(fresh) { executor async throws in
                    let handle = try executor.submit(Sleeper(mark: mark))
                    return await handle.result
                }
            }
            while !FileManager.default.fileExists(atPath: mark) { await Task.yield() }
            scope.cancel()
            guard case .failure(let error) = try await scope.value else { throw Unexpected(text: "it has a value") }
            #expect(error.code == .cancelled)
        }
    }

    @Test func lettingGoOfAHandleCancelsNothing() async throws {
        try await withDirectory { directory in
            let mark = directory.appending(path: "mark").path
            try await withExecutor(fresh) { executor async throws in
                _ = try executor.submit(DiesOnce(mark: mark), resources: ResourceRequest(restartLimit: 1))
            }
            #expect(FileManager.default.fileExists(atPath: mark))
        }
    }
}
