// SPDX-License-Identifier: BSD-3-Clause

/// How tasks meet processes.
public struct WorkerMode: Sendable {
    typealias Preparation = @Sendable () throws(TaskError) -> (name: String, bytes: [UInt8])

    let isWarm: Bool
    let preparation: Preparation?
    /// How long that may take.
    var prepareLimit: Duration?

    /// Each task in a process of its own, which ends with it: nothing is left of one task for another.
    public static let fresh = WorkerMode(isWarm: false, preparation: nil)

    /// Processes that stay and take task after task: the start of a process is paid once.
    public static let warm = WorkerMode(isWarm: true, preparation: nil)

    /// Processes that stay, and in which `preparation` has run before the first task; tasks find what it made in
    /// ``WorkerPreparation/state``.
    ///
    /// - Parameter limit: how long ``WorkerPreparation/prepare()`` may take in each process, from the moment it runs; the time limits of
    ///   tasks begin after it. Where it takes longer, tasks end with ``TaskError/Code/refused``.
    public static func warm<P: WorkerPreparation>(
        preparing preparation: P, within limit: Duration = .seconds(600)
    ) -> WorkerMode {
        var mode = WorkerMode(
            isWarm: true,
            preparation: { () throws(TaskError) in
                (try TypeName.require(P.self), try TaskCoding.encode(preparation))
            })
        mode.prepareLimit = limit
        return mode
    }
}
