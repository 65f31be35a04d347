// SPDX-License-Identifier: BSD-3-Clause
// What the guide's parts speak of and do not declare.
import Logging
import Metrics
import Swiftlet
import Tracing

struct PartialSum: RemoteTask {
    let count: Int
    func run() async throws -> Int { (0..<count).reduce(0, +) }
}

struct Simulation: RemoteTask {
    let steps: Int
    func run() async throws -> Int { steps }
}

struct Context {
    let executor: Executor
    let handles: [TaskHandle<Int>]
    let setup: TaskHandle<CommandResult>
    let rates = [2.8, 3.2, 3.7]
    let matrix = [1.0, 2.0, 3.0]
    var all: (Executor, [TaskHandle<Int>], [Double], [Double], TaskHandle<CommandResult>, TaskHandle<Int>) {
        (executor, handles, rates, matrix, setup, handles[0])
    }
}

func runAll() async throws {
    try await withExecutor(.singleNode(maxCores: 4)) { executor in
        let handles = try (1...3).map { try executor.submit(PartialSum(count: $0)) }
        let context = Context(executor: executor, handles: handles, setup: try executor.submit(Command("true")))
        // PARTS
    }
}
