// SPDX-License-Identifier: BSD-3-Clause

extension Duration {
    /// As frames carry it.
    var inSeconds: Double { Double(components.seconds) + Double(components.attoseconds) / 1e18 }

    /// For a positive one; more than 30 years are those.
    var nanoseconds: UInt64 { UInt64(min(max(inSeconds, 0), 1e9) * 1e9) }
}
