// SPDX-License-Identifier: BSD-3-Clause
public import SwiftletModel

/// Who has started a worker, and can end it.
public protocol WorkerSignals: AnyObject {
    /// Sends a signal to the worker's processes, wherever they are.
    func signal(_ worker: WorkerID, _ signal: Int32)
}

extension Spawner: WorkerSignals {}
