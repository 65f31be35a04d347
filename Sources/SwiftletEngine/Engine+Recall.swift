// SPDX-License-Identifier: BSD-3-Clause
import SwiftletModel
import SwiftletScheduler
import SwiftletTransport
import SwiftletWire

extension Engine {
    /// Takes a call back from a worker that has not started it.
    ///
    /// A worker reads its socket after it has sent a result and before it starts the next call. So when the result of the call it
    /// works on has not been sent at the moment RECALL lies in its socket, it will read RECALL in time: the call is ours again at
    /// once, however long the worker still takes. Where the result came meanwhile, the worker's answer is waited for.
    func recall(_ task: TaskID, from id: WorkerID) {
        guard let worker = workers[id] else { return }
        worker.peer.link.send(.recall, id: task.rawValue)
        // Over a network nothing is known of what lies in its socket: its answer is waited for.
        guard let link = worker.peer.link as? SocketLink else { return }
        let current = worker.current
        loop.afterThisTurn { [unowned self, weak worker] in
            guard let worker, workers[id] === worker, !link.isClosed else { return }
            link.flush()
            guard link.unsentBytes == 0 else { return }
            link.receiveEverything()
            guard current != nil, worker.current == current, !link.isClosed else { return }
            worker.settledRecalls[task, default: 0] += 1
            apply(.recalled(task, id))
        }
    }

    func recallAnswered(_ task: TaskID, by worker: Worker) {
        guard let open = worker.settledRecalls[task] else { return apply(.recalled(task, worker.id)) }
        worker.settledRecalls[task] = open > 1 ? open - 1 : nil
    }
}
