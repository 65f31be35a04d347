// SPDX-License-Identifier: BSD-3-Clause
// Swift and Python functions in one graph: Swift tasks sample a noisy signal, the standard library of Python does the statistics.
//
//     SWIFTLET_PYTHON=.venv/bin/python swift run CallingPython
import Swiftlet

struct Signal: RemoteTask {
    let count: Int
    let seed: UInt64

    func run() async throws -> [Double] {
        var state = seed
        return (0..<count).map { index in
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Double(index) + Double(state >> 40) / Double(1 << 24) - 0.5
        }
    }
}

@main struct CallingPython: TaskProgram {
    static func body() async throws {
        try await withExecutor(.singleNode(maxWorkers: 2, mode: .warm)) { executor in
            let signal = try executor.submit(Signal(count: 1001, seed: 7))
            let mean = try executor.submit(PythonCall<Double>("statistics", "fmean", Input(signal)))
            let spread = try executor.submit(PythonCall<Double>("statistics", "pstdev", Input(signal), Input(mean)))
            print("mean \(Int(try await mean.value.rounded()))")
            print("spread \(Int(try await spread.value.rounded()))")
            do {
                _ = try await executor.run(PythonCall<Double>("statistics", "fmean", [Double]()))
            } catch let error as TaskError {
                print((error.cause as? PythonError)?.type ?? error.description)
            }
        }
    }
}
