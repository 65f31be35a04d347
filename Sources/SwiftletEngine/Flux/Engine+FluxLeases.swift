// SPDX-License-Identifier: BSD-3-Clause
import CSwiftlet
import Glibc
import SwiftletFlux
import SwiftletLaunch
import SwiftletModel
import SwiftletScheduler
import SwiftletTransport
import SwiftletWire

// Leases: jobs of Flux that hold cores, each with an agent that starts workers on them.
extension Engine {
    /// Decides about leases when the events of this turn have been handled.
    func settleFluxSoon() {
        guard let flux, !flux.willSettle, !flux.isDismissing else { return }
        flux.willSettle = true
        loop.afterThisTurn { [unowned self] in
            flux.willSettle = false
            guard flux.facts != nil, !flux.isDismissing, ending == .no else { return }
            var actions: [FluxLeases.Action] = []
            flux.leases.settle(at: Instant(nanoseconds: sl_monotonic_ns()), into: &actions)
            carryOut(actions)
        }
    }

    func carryOut(_ actions: [FluxLeases.Action]) {
        guard let flux else { return }
        for action in actions {
            switch action {
            case .submit(let id, let shape, let places): submit(FluxLease(id: id, shape: shape, places: places))
            case .start(let worker, let lease, let place): start(worker, on: lease, place: place)
            case .end(let id): if let lease = flux.held.removeValue(forKey: id) { end(lease) }
            case .refuse(let id, let reason):
                apply(.workerCannotPrepare(id, reason: reason))
                if let worker = workers[id] { gone(worker, .failed(reason)) }
            case .wake(let instant):
                loop.cancel(timer: flux.timer)
                flux.timer = loop.schedule(at: instant.nanoseconds) { [unowned self] in settleFluxSoon() }
            }
        }
    }

    private func submit(_ lease: FluxLease) {
        guard let flux else { return }
        flux.held[lease.id] = lease
        do {
            let ticket = try runningListener().expect(isAgent: true) { [unowned self, weak lease] socket in
                guard let lease, flux.held[lease.id] === lease else { return socket.close() }
                admit(lease, socket)
            }
            lease.ticket = ticket
            writeTicket(ticket.line, "lease-\(lease.id.rawValue)") { [unowned self] path in
                guard ending == .no, flux.held[lease.id] === lease, let path else { return }
                let spec = flux.jobs.lease(lease.shape, places: lease.places, ticket: path)
                let job = flux.instance.submit(spec, urgency: 16)
                lease.job = job
                job.onAccepted = { [unowned self] in
                    log.write("lease \(lease.id.rawValue), \(lease.places) places, is Flux job \($0)")
                }
                track(job) { [unowned self] in leaseEnded(lease, $0) }
            }
        } catch {
            fail("agents cannot connect: \(error)")
        }
    }

    private func admit(_ lease: FluxLease, _ socket: AuthenticatedSocket) {
        let link = SecureLink(loop: loop)
        link.attach(socket)
        let spawner = Spawner(link: link)
        let agent = Agent(
            node: -1, name: "lease \(lease.id.rawValue)", link: link, isNear: isNear(link), spawner: spawner,
            now: sl_monotonic_ns())
        if agent.isNear { log.write("\(agent.name) has its agent on this host") }
        lease.agent = agent
        spawner.onHello = { [unowned self, unowned lease, unowned agent] in try greet(lease, agent, $0) }
        listen(to: agent)
        spawner.onClose = { [unowned self, weak lease] reason in
            guard let lease, let flux, flux.held[lease.id] === lease else { return }
            log.write("lease \(lease.id.rawValue) lost its agent: \(reason ?? "it closed its connection")")
            // Its job ends with it, and says why; what ran on it is not waited for any longer than that takes.
            if let job = lease.job { flux.instance.cancel(job, note: "its agent is gone") }
        }
    }

    private func greet(_ lease: FluxLease, _ agent: Agent, _ attributes: Attributes) throws {
        lease.host = try nameOfEqualVersion(attributes)
        lease.place = AgentPlace(attributes)
        sendSetup(to: agent, keepsGPUs: true)
        beatLeases()
        flux?.leases.isUp(lease.id, at: Instant(nanoseconds: sl_monotonic_ns()))
        settleFluxSoon()
    }

    private func start(_ id: WorkerID, on lease: LeaseID, place: Int) {
        guard let flux, let lease = flux.held[lease], let agent = lease.agent, let worker = flux.workers[id],
            let engineWorker = workers[id]
        else { return }
        worker.lease = lease
        let slot: Slot, processors: [Int]
        do throws(FluxFault) {
            (slot, processors) = try lease.share(of: place, worker.request)
        } catch {
            apply(.workerCannotPrepare(id, reason: "\(error)"))
            return gone(engineWorker, .failed("\(error)"))
        }
        let hasGPUs = slot.placements.contains { !$0.gpus.isEmpty }
        let settings = SlotVariables(
            slot, request: worker.request, gpuVariable: hasGPUs ? lease.place.gpuVariable : nil,
            name: "\(getpid())-\(id.rawValue)")
        announce(engineWorker, settings)
        var attributes = worker.command ?? spawnAttributes(worker.request, settings)
        // Which GPUs it sees is said behind what the agent's job says.
        attributes[list: "variables"] = settings.variables
        if !processors.isEmpty { attributes[text: "cores"] = coreList(processors) }
        if let limit = engineWorker.memoryLimit { attributes[integer: "memory"] = Int(clamping: limit) }
        guard worker.command != nil else { return spawn(engineWorker, attributes, on: agent) }
        agent.relayed[id] = Agent.Relayed(
            link: RelayLink(worker: id.rawValue, carrier: agent.link, loop: loop), outputs: engineWorker.outputs)
        agent.spawner.spawn(id, attributes, isConnected: false)
    }

    /// It is given back: without its connection its agent ends, and with that its job.
    private func end(_ lease: FluxLease) {
        if let ticket = lease.ticket { listener?.withdraw(ticket.id) }
        if let agent = lease.agent { return agent.link.close() }
        if let job = lease.job { flux?.instance.cancel(job, note: "its executor does not need it any more") }
    }

    /// The job of a lease has ended, and with it what ran there.
    private func leaseEnded(_ lease: FluxLease, _ ending: FluxJob.Ending) {
        guard let flux, flux.held[lease.id] === lease else { return }
        flux.held[lease.id] = nil
        if let ticket = lease.ticket { listener?.withdraw(ticket.id) }
        lease.agent?.link.receiveEverything()
        lease.agent?.link.close()
        let name = lease.job?.id.map { "Flux job \($0)" } ?? "a Flux job"
        var reason: String
        var refusal: String?
        switch ending {
        case .refused(let fault):
            reason = "Flux refuses the job for its worker: \(fault)"
            refusal = reason
        case .lost(let fault): reason = "\(name), in which it ran, is lost: \(fault)"
        case .ended(let end):
            reason = "\(name), in which it ran, \(end)"
            if !end.didStart || lease.agent == nil { refusal = "\(name), in which it was to run, \(end)" }
        }
        log.write("lease \(lease.id.rawValue): \(reason)")
        for worker in flux.workers.values where worker.lease === lease {
            if let engineWorker = workers[worker.id] { gone(engineWorker, .taken(reason)) }
        }
        var actions: [FluxLeases.Action] = []
        flux.leases.ended(lease.id, refusal: refusal, into: &actions)
        carryOut(actions)
        settleFluxSoon()
    }

    /// One timer for the connections of all leases.
    private func beatLeases() {
        guard let flux, !flux.isBeating else { return }
        flux.isBeating = true
        loop.schedule(after: Heartbeat.interval) { [unowned self] in
            flux.isBeating = false
            let now = sl_monotonic_ns()
            for lease in flux.held.values {
                guard let agent = lease.agent else { continue }
                if now - agent.lastHeard > Heartbeat.silence {
                    if let job = lease.job { flux.instance.cancel(job, note: "its agent has been silent for a minute") }
                } else {
                    agent.link.send(.heartbeat, id: 0)
                }
            }
            if flux.held.values.contains(where: { $0.agent != nil }), ending == .no { beatLeases() }
        }
    }
}
