// SPDX-License-Identifier: BSD-3-Clause
import Glibc
import SwiftletLaunch
import SwiftletModel
import SwiftletScheduler
import SwiftletStore
import SwiftletTransport
import SwiftletWire

extension Engine {
    /// After a shutdown everything has ended: say goodbye; when the client has read it, end.
    func finish() {
        guard ending == .no else { return }
        if let store = callStore, !store.isClosed {
            // What is under way to the store gets there first.
            store.isClosed = true
            writeAllOutcomes()
            return store.thread.submit(.close) { [unowned self] _ in finish() }
        }
        if let agentJobs, !isDismissing {
            isDismissing = true
            return agentJobs.close { [unowned self] in finish() }
        }
        if !agentSteps.isEmpty { return dismissAgents() }
        if let flux, !(flux.isDismissing && flux.openJobs.isEmpty) { return dismissFlux() }
        ending = .goodbye
        guard !client.link.isClosed else { return shutDown() }
        client.link.send(.goodbye, id: 0)
    }

    /// The engine cannot go on: the client is told why, then everything ends.
    /// - Parameter isRefusal: it never could: what was asked of it makes no sense.
    func fail(_ reason: String, isRefusal: Bool = false) {
        guard ending == .no else { return }
        log.write("fails: \(reason)")
        ending = .goodbye
        agentJobs?.close {}
        client.link.send(.goodbye, id: 0, flags: isRefusal ? 1 : 0) { $0.append(contentsOf: reason.utf8) }
        endFluxJobs()
        loop.schedule(after: Grace.orphaned) { [unowned self] in shutDown() }
    }

    /// Nobody is left to hear of any outcome: the processes get a second to end, politely first.
    func clientIsGone(reason: String?) {
        guard ending != .done else { return }
        log.write("the client is gone" + (reason.map { ": \($0)" } ?? ""))
        if ending == .goodbye { return shutDown() }
        if let cluster, cluster.hasDetached {
            client.link.close()
            return setOutputPaused(false)
        }
        ending = .goodbye
        client.link.close()
        endFluxJobs()
        if let agentJobs {
            // Jobs that wait are taken out of the queue; where that takes long, they end when they find nobody.
            loop.schedule(after: Grace.terminate) { [unowned self] in shutDown() }
            return agentJobs.close { [unowned self] in shutDown() }
        }
        guard !workers.isEmpty || flux?.openJobs.isEmpty == false else { return shutDown() }
        for worker in workers.values { terminate(worker) }
        loop.schedule(after: Grace.orphaned) { [unowned self] in shutDown() }
    }

    /// The guardian ends what is left when its link closes. Whoever waits for this process then finds nothing of it alive.
    func shutDown() {
        guard ending != .done else { return }
        ending = .done
        for agent in agents.values { agent.link.close() }
        flux?.instance.close()
        listener?.close()
        guardian.close()
        client.link.close()
        loop.stop()
        onEnd()
        log.write("ended")
    }
}
