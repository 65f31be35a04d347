// SPDX-License-Identifier: BSD-3-Clause
import Swiftlet

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

struct RateOutOfRange: Error, Codable { let rate: Double }

@main struct Sweep: TaskProgram {
    static func body() async throws {
        let rates = [2.8, 3.2, 3.5, 3.9, 5.0]
        try await withExecutor(.singleNode(maxWorkers: 2, mode: .warm)) { executor in
            for try await (rate, mean) in executor.outcomes(of: rates, { LogisticMean(rate: $0, steps: 200_000) }) {
                switch mean {
                case .success(let mean): print("rate \(rate): mean \(mean)")
                case .failure(let error): print("rate \(rate): \(error)")
                }
            }
        }
    }
}
