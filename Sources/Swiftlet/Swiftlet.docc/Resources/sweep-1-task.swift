// SPDX-License-Identifier: BSD-3-Clause
struct LogisticMean {
    let rate: Double
    let steps: Int

    func mean() -> Double {
        var x = 0.5
        var sum = 0.0
        for _ in 0..<steps {
            x = rate * x * (1 - x)
            sum += x
        }
        return sum / Double(steps)
    }
}
