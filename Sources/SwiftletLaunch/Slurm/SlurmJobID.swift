// SPDX-License-Identifier: BSD-3-Clause

/// A job as Slurm numbers it: `17`, or `17_3` for an element of an array.
public struct SlurmJobID: Hashable, Sendable, CustomStringConvertible {
    public let job: UInt32
    public let element: UInt32?

    public init(_ job: UInt32, element: UInt32? = nil) {
        self.job = job
        self.element = element
    }

    /// As squeue, sacct and sbatch write it; nil for anything else, such as a step (`17.0`) or a range of pending elements
    /// (`17_[3-5]`).
    public init?(_ text: some StringProtocol) {
        let parts = text.split(separator: "_", maxSplits: 1, omittingEmptySubsequences: false)
        guard let job = UInt32(parts[0]) else { return nil }
        guard parts.count == 2 else { self.init(job); return }
        guard let element = UInt32(parts[1]) else { return nil }
        self.init(job, element: element)
    }

    public var description: String { element.map { "\(job)_\($0)" } ?? "\(job)" }
}
