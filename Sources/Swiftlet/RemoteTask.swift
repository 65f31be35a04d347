// SPDX-License-Identifier: BSD-3-Clause

/// A call that can run in another process of the same program: its stored properties are its arguments.
///
/// The type must be found by name in the worker, so it may be generic or nested, but neither private nor local to a function.
public protocol RemoteTask: Codable, Sendable {
    associatedtype Output: Codable & Sendable

    /// Runs in a worker. What it throws reaches the submitter as text in a ``TaskError``.
    func run() async throws -> Output
}
