// SPDX-License-Identifier: BSD-3-Clause

/// What is asked of an ``EveryRank`` whose type is not known.
protocol RanksTask: Sendable {
    /// Runs on this rank; what it returned, encoded.
    func encodedPart() async throws -> [UInt8]
}

/// A task whose value is that of all ranks: each answers with its own, rank 0 puts them together.
struct EveryRank<T: RemoteTask>: RemoteTask, RanksTask {
    let task: T

    init(task: T) { self.task = task }
    init(from decoder: any Decoder) throws { task = try T(from: decoder) }
    func encode(to encoder: any Encoder) throws { try task.encode(to: encoder) }

    func run() async throws -> [T.Output] { [try await task.run()] }
    func encodedPart() async throws -> [UInt8] { try TaskCoding.encode(try await task.run()) }
}

extension TaskCoding {
    /// Encoded values as an array of them.
    static func array(of values: [[UInt8]]) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.append(cbor: CBOR.Major.array, UInt64(values.count))
        for value in values { bytes += value }
        return bytes
    }
}
