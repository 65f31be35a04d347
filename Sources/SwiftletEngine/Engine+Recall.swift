// SPDX-License-Identifier: BSD-3-Clause
import SwiftletModel
import SwiftletScheduler
import SwiftletTransport
import SwiftletWire

extension Engine {
    /// Takes a call back from a worker that has not started it.
    ///
    /// A worker reads all that lies in its socket after it has sent a result and before it starts the next call. So when RECALL
    /// lies there and everything is heard that the worker had said until then, a call that is not its first has not been started,
    /// and RECALL will be read in time: the call is ours again at once, however long the first one still takes. For the first one
    /// the worker's answer is waited for.
    ///
    /// Behind an agent it is the agent that looks. (A worker that has connected by itself is given no calls ahead.)
    func recall(_ task: TaskID, from id: WorkerID) {
        guard let worker = workers[id] else { return }
        worker.peer.link.send(.recall, id: task.rawValue)
        worker.recalls.append(task)
        guard worker.recalls.count == 1 else { return }
        loop.afterThisTurn { [unowned self, weak worker] in
            guard let worker, workers[id] === worker else { return }
            look(at: worker)
        }
    }

    private func look(at worker: Worker) {
        let recalls = worker.recalls
        worker.recalls = []
        if let link = worker.peer.link as? RelayLink {
            if link.look() { worker.looks.append(recalls) }
        } else if let link = worker.peer.link as? SocketLink, !link.isClosed {
            link.flush()
            guard link.unsentBytes == 0 else { return }
            worker.looks.append(recalls)
            link.receiveEverything()
            looked(worker.id, isCertain: true)
        }
    }

    /// Everything has been heard that a worker had said when all that was sent to it before the first of its looks lay in its socket.
    /// - Parameter isCertain: false: it did not come to that.
    func looked(_ id: WorkerID, isCertain: Bool) {
        guard let worker = workers[id], !worker.looks.isEmpty else { return }
        let recalls = worker.looks.removeFirst()
        guard isCertain, !worker.peer.link.isClosed else { return }
        let current = worker.current
        for task in recalls where current != nil && task != current {
            worker.settledRecalls[task, default: 0] += 1
            apply(.recalled(task, id))
        }
    }

    func recallAnswered(_ task: TaskID, by worker: Worker) {
        if let open = worker.settledRecalls[task] {
            worker.settledRecalls[task] = open > 1 ? open - 1 : nil
            return
        }
        answered(task, by: worker)
        // It was taken for begun, because the call before it had ended.
        if worker.current == task { worker.current = nil }
        apply(.recalled(task, worker.id))
    }

    /// The worker has said what became of a call: no look decides about it any more.
    func answered(_ task: TaskID, by worker: Worker) {
        guard !worker.recalls.isEmpty || !worker.looks.isEmpty else { return }
        worker.recalls.removeAll { $0 == task }
        for index in worker.looks.indices { worker.looks[index].removeAll { $0 == task } }
    }
}
