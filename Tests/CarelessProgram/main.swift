// SPDX-License-Identifier: BSD-3-Clause
// A program that forgot to enter worker mode: its workers would make executors of their own, for ever.
import Swiftlet

struct Answer: RemoteTask {
    func run() async throws -> Int { 42 }
}

do {
    print(try await withExecutor(.singleNode(maxWorkers: 1, mode: .warm)) { try await $0.run(Answer()) })
} catch {
    print("\(error)")
}
