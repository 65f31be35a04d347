// SPDX-License-Identifier: BSD-3-Clause
import Synchronization

/// What warm workers make once, before their first task: a model that is loaded, a connection, a table.
///
/// ```swift
/// struct LoadModel: WorkerPreparation {
///     let path: String
///     func prepare() async throws -> Model { try Model(contentsOf: path) }
/// }
/// struct Score: RemoteTask {
///     let text: String
///     func run() async throws -> Double { try LoadModel.state.score(text) }
/// }
/// try await withExecutor(.singleNode(mode: .warm(preparing: LoadModel(path: "model.bin")))) { … }
/// ```
public protocol WorkerPreparation: Codable, Sendable {
    associatedtype State: Sendable

    /// Runs in each worker. Where it throws, the executor's tasks end with ``TaskError/Code/refused`` and say so; likewise where it
    /// takes longer than it was allowed (``WorkerMode/warm(preparing:within:)``).
    func prepare() async throws -> State
}

extension WorkerPreparation {
    /// What ``prepare()`` made in this worker.
    /// - Throws: ``TaskError`` (`refused`) where the executor was not told to prepare this.
    public static var state: State {
        get throws {
            if let made = PreparedState.value.withLock({ $0 }), made.preparation == Self.self, let state = made.state as? State {
                return state
            }
            throw TaskError(
                .refused,
                "this worker has not prepared \(Self.self): make the executor with mode .warm(preparing: \(Self.self)(…))")
        }
    }
}

/// The state of this worker, and what made it: others may make states of the same type.
enum PreparedState {
    static let value = Mutex<(preparation: any WorkerPreparation.Type, state: any Sendable)?>(nil)
}
