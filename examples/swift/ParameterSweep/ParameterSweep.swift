// SPDX-License-Identifier: BSD-3-Clause
// A parameter sweep: the same function for many values, each in one of two worker processes.
//
//     swift run ParameterSweep
import Swiftlet

/// The logistic map's long-time mean for one growth rate: a call, whose stored properties are its arguments.
struct LogisticMean: RemoteTask {
    let rate: Double
    let steps: Int

    func run() async throws -> Double {
        guard (0...4).contains(rate) else { throw RateOutOfRange(rate: rate) }
        var x = 0.5
        var sum = 0.0
        for _ in 0..<steps {
            x = rate * x * (1 - x)
            sum += x
        }
        return sum / Double(steps)
    }
}

struct RateOutOfRange: Error { let rate: Double }

@main struct ParameterSweep: TaskProgram {
    static func body() async throws {
        try await withExecutor(.singleNode(workers: 2)) { executor in
            var handles: [(Double, TaskHandle<Double>)] = []
            for rate in [2.8, 3.2, 3.5, 3.9, 5.0] {
                handles.append((rate, try executor.submit(LogisticMean(rate: rate, steps: 200_000))))
            }
            for (rate, handle) in handles {
                do {
                    let mean = try await handle.value
                    print("rate \(rate): mean \((mean * 1000).rounded() / 1000)")
                } catch {
                    print("rate \(rate): \(error)")
                }
            }
        }
    }
}
