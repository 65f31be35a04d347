// SPDX-License-Identifier: BSD-3-Clause

/// A call that can run in another process of the same program: its stored properties are its arguments.
///
/// ```swift
/// struct Mean: RemoteTask {
///     let numbers: [Double]
///     func run() async throws -> Double { numbers.reduce(0, +) / Double(numbers.count) }
/// }
/// ```
///
/// Nothing has to be registered: a worker finds the type by the name that the runtime has for it. So it may be generic or nested,
/// but neither private nor local to a function; ``Executor/submit(_:resources:after:cacheKey:)`` says so where it is.
public protocol RemoteTask: Codable, Sendable {
    associatedtype Output: Codable & Sendable

    /// Runs in a worker. What it throws reaches the submitter as the ``TaskError/cause`` of a ``TaskError``, where its type is
    /// `Codable`, and as text in every case. Cancelling the task from outside ends the worker's process: nothing in here has to
    /// ask for it.
    func run() async throws -> Output
}
