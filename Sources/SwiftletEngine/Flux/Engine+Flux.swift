// SPDX-License-Identifier: BSD-3-Clause
import CSwiftlet
import Glibc
import SwiftletFlux
import SwiftletLaunch
import SwiftletModel
import SwiftletScheduler
import SwiftletTransport
import SwiftletWire

// Workers in an instance of Flux: what every one of them has in common, whether it is a job or runs on a lease.
extension Engine {
    /// How long the jobs of an executor may take to end when it ends, in nanoseconds.
    private static let farewell: UInt64 = 10_000_000_000

    func connectToFlux(_ settings: FluxSettings, _ configuration: EngineConfiguration) {
        let tickets: TicketFiles
        do { tickets = try TicketFiles(in: settings.directory, loop: loop) } catch { return fail("\(error)") }
        do throws(FluxFault) {
            let instance = try FluxInstance(socket: try FluxAddress.socketPath(settings.uri), loop: loop)
            let backend = FluxBackend(
                instance: instance, tickets: tickets,
                jobs: FluxWorkerJobs(
                    settings: settings, environment: configuration.environment, directory: configuration.directory),
                startsRanksItself: configuration.launch == .program)
            flux = backend
            guardian.removeAtEnd(settings.directory)
            backend.onSignal = { [unowned self] in signalInFlux($0, $1) }
            if settings.submitsThroughClient { instance.submitter = { [unowned self] in submitThroughClient($0, $1, $2) } }
            instance.onReady = { [unowned self] in fluxIsReady($0) }
            instance.onLost = { [unowned self] in fluxIsLost($0) }
        } catch {
            fail(FluxAddress.hint(for: error, uri: settings.uri))
        }
    }

    private func fluxIsReady(_ facts: FluxFacts) {
        guard let flux else { return }
        log.write("Flux \(facts.version): \(facts.resources.nodes.count) nodes, \(facts.resources.coreCount) cores")
        flux.facts = facts
        flux.leases = FluxLeases(
            coreCount: facts.resources.coreCount, coresPerNode: facts.resources.nodes.map(\.cores.count).max() ?? 0,
            gpusPerNode: facts.resources.nodes.map(\.gpus.count).max() ?? 0)
        let early = flux.early
        flux.early = []
        for id in early { if let worker = flux.workers[id] { request(worker) } }
    }

    private func fluxIsLost(_ fault: FluxFault) {
        guard let flux, !flux.isDismissing else { return }
        fail("the Flux instance is lost: \(fault)")
    }

    /// Starts a worker in the instance. It exists from now on: what is sent to it waits until it has connected.
    func startInFlux(_ id: WorkerID, index: Int, request: ResourceRequest, slot: Slot, _ settings: SlotVariables) {
        // Where the client is gone what ends makes room for nobody.
        guard let flux, let configuration, ending == .no else { return }
        if request.isCommand { return startCommandInFlux(id, request: request, slot: slot, settings, flux) }
        let fluxWorker = FluxWorker(id: id, index: index, request: request, settings: settings)
        do {
            let link: Link
            var ticket: Ticket?
            if flux.isOwnJob(request) {
                let (expected, itsTicket) = try makeExpectedLink()
                (link, ticket) = (expected, itsTicket)
            } else {
                link = Link(loop: loop)
            }
            let worker = Worker(
                id: id, peer: makePeer(link), outputs: fluxOutputs(of: fluxWorker), spawner: flux,
                isFresh: !configuration.isWarm, slot: slot)
            if let ticket { fluxWorker.tickets = try tickets(of: worker, ticket, request) }
            flux.workers[id] = fluxWorker
            introduce(worker, index: index)
            requestWhenReady(fluxWorker)
        } catch {
            apply(.workerEnded(id, .failed("\(error)")))
        }
    }

    /// What its call says about an external program is known.
    func startInFlux(_ command: Attributes, of id: WorkerID) {
        guard let worker = flux?.workers[id] else { return }
        worker.command = command
        requestWhenReady(worker)
    }

    /// Fresh workers run as soon as they are heard of: their time begins.
    func runsInFlux(_ id: WorkerID) {
        guard let worker = workers[id], worker.isFresh else { return }
        worker.upSince = worker.upSince ?? sl_monotonic_ns()
        apply(.workerReady(id))
    }

    /// What a worker prints, relayed by its lease's agent or told by Flux.
    func fluxOutputs(of worker: FluxWorker, keepsTails: Bool = false, tailSize: Int = OutputReader.tailSize) -> [OutputReader] {
        let id = UInt64(worker.id.rawValue)
        return [RelayStream.output, .errors].map { stream in
            OutputReader(keepsTail: keepsTails || stream == .errors, tailSize: tailSize, loop: loop) { [weak worker] count in
                worker?.lease?.agent?.link.send(.relayAck, id: id, flags: stream.rawValue) {
                    $0.append(integer: UInt64(count))
                }
            }
        }
    }

    private func requestWhenReady(_ worker: FluxWorker) {
        guard let flux else { return }
        if flux.facts == nil { flux.early.append(worker.id) } else { request(worker) }
    }

    private func request(_ worker: FluxWorker) {
        guard let flux else { return }
        if flux.isOwnJob(worker.request) {
            startJob(of: worker)
        } else {
            flux.leases.want(
                worker.id,
                FluxLeases.Shape(
                    cores: worker.request.cores * worker.request.threadsPerCore,
                    gpus: worker.request.cores * worker.request.step.gpusPerCore))
            settleFluxSoon()
        }
    }

    /// Ends a worker's processes by a signal, wherever it is.
    private func signalInFlux(_ id: WorkerID, _ signal: Int32) {
        guard let flux, let worker = flux.workers[id] else { return }
        if let agent = worker.lease?.agent { return agent.spawner.signal(id, signal) }
        if let job = worker.job {
            if job.ending == nil { flux.instance.cancel(job, note: "ended by its executor") }
            if signal == SIGKILL { flux.instance.signal(job, SIGKILL) }
            return
        }
        // It was not started yet.
        flux.early.removeAll { $0 == id }
        _ = flux.leases.unwant(id)
        if let worker = workers[id] { gone(worker, .signalled(signal)) }
    }

    /// A worker is gone, with everything of it.
    func workerIsGoneInFlux(_ id: WorkerID) {
        guard let flux, flux.workers.removeValue(forKey: id) != nil else { return }
        flux.leases.freed(id, at: Instant(nanoseconds: sl_monotonic_ns()))
        settleFluxSoon()
    }

    /// Writes a ticket for a job; its path, or nil where that did not work.
    func writeTicket(_ lines: String, _ name: String, _ action: @escaping (String?) -> Void) {
        guard let files = flux?.tickets else { return action(nil) }
        files.write([(name: name, lines: lines)]) { [unowned self] fault in
            if let fault { log.write(fault) }
            action(fault == nil ? files.path(name) : nil)
        }
    }

    // MARK: - The end

    /// Everything has ended: jobs of this executor that Flux still has are ended, then the client hears of the end.
    func dismissFlux() {
        guard let flux, !flux.isDismissing else { return }
        flux.isDismissing = true
        endFluxJobs()
        loop.schedule(after: Self.farewell) { [unowned self] in
            flux.openJobs = [:]
            finish()
        }
        finishIfFluxIsDone()
    }

    /// Leases end by themselves when their agents' connections close; what waits in Flux's queue is taken out of it.
    func endFluxJobs() {
        guard let flux else { return }
        var actions: [FluxLeases.Action] = []
        flux.leases.endAll(into: &actions)
        carryOut(actions)
        for job in flux.openJobs.values { flux.instance.cancel(job, note: "its executor has ended") }
    }

    func track(_ job: FluxJob, _ action: @escaping (FluxJob.Ending) -> Void) {
        guard let flux else { return }
        flux.openJobs[ObjectIdentifier(job)] = job
        job.onEnd = { [unowned self] ending in
            flux.openJobs[ObjectIdentifier(job)] = nil
            action(ending)
            finishIfFluxIsDone()
        }
    }

    private func finishIfFluxIsDone() {
        if let flux, flux.isDismissing, flux.openJobs.isEmpty { finish() }
    }
}
