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
