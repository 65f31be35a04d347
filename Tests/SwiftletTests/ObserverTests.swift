// SPDX-License-Identifier: BSD-3-Clause
import Swiftlet
import Synchronization
import Testing

@testable import TestProgram

@Suite struct ObserverTests {
    final class Notes: TaskObserver {
        let notes = Mutex<[String]>([])
        func submitted(_ task: ObservedTask) { notes.withLock { $0.append("\(task.number) \(task.name)") } }
        func ended(_ task: ObservedTask, _ end: ObservedEnd) {
            notes.withLock { $0.append("\(task.number) \(end.error?.code.description ?? "value") \(end.duration > .zero)") }
        }
    }

    @Test func observersHearOfEveryTaskOnce() async throws {
        let notes = Notes()
        try await withExecutor(warm.observed(by: notes)) { executor async throws in
            #expect(try await executor.run(Square(number: 2)) == 4)
            #expect(try await failure(executor, Checked(number: 11)).code == .failed)
            let cancelled = try executor.submit(Sleeper())
            cancelled.cancel()
            _ = await cancelled.result
        }
        #expect(
            notes.notes.withLock { $0 } == [
                "1 Square", "1 value true", "2 Checked", "2 failed true", "3 Sleeper", "3 cancelled false",
            ])
    }
}
