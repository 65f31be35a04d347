// SPDX-License-Identifier: BSD-3-Clause
import CSwiftlet
import Glibc
import SwiftletFlux
import SwiftletLaunch
import SwiftletModel
import SwiftletScheduler
import SwiftletTransport
import SwiftletWire

// Workers that are jobs of Flux themselves: groups of MPI ranks, workers on several nodes, instances of their own.
extension Engine {
    /// How long the last output of a job may take to come after its end, in nanoseconds.
    private static let lastOutput: UInt64 = 2_000_000_000

    func startJob(of worker: FluxWorker) {
        if let command = worker.command, let flux {
            return submit(worker, flux.jobs.command(worker.request, command), isHeard: true)
        }
        guard let flux else { return }
        writeTicket(worker.tickets, "worker-\(worker.id.rawValue)") { [unowned self] path in
            guard ending == .no, flux.workers[worker.id] === worker, let engineWorker = workers[worker.id] else { return }
            guard let path else { return gone(engineWorker, .failed("its ticket cannot be written")) }
            submit(worker, ticket: path)
        }
    }

    private func submit(_ worker: FluxWorker, ticket: String) {
        guard let flux, let configuration else { return }
        let request = stepRequest(worker.request)
        let isGroup = request.isGroup && !flux.jobs.settings.nests && configuration.launch == .forkServer
        let program = isGroup ? rankWorker + ["\(request.cores)"] : configuration.stepWorker
        let file = flux.jobs.settings.logDirectory.map { "\($0)/flux_\(flux.nextLog(of: worker, isWarm: configuration.isWarm))" }
        let variables =
            worker.settings.variables + SlotVariables.threads(worker.request, in: configuration.environment)
            + programVariables(worker.request) + ["SWIFTLET_STEP=1"]
        let spec = flux.jobs.worker(
            request, program: program, ticket: ticket, variables: variables, file: file,
            isReadByAll: launchesRanks(request))
        submit(worker, spec, isHeard: file == nil)
    }

    /// - Parameter isHeard: what the job prints is asked of Flux.
    private func submit(_ worker: FluxWorker, _ spec: Jobspec, isHeard: Bool) {
        guard let flux else { return }
        let urgency = FluxUrgency.of(priority: worker.request.priority, isOwned: flux.facts?.isOwned ?? false)
        let job = flux.instance.submit(spec, urgency: urgency)
        worker.job = job
        job.onAccepted = { [unowned self] in log.write("worker \(worker.id.rawValue) is Flux job \($0)") }
        job.onEvent = { [unowned self, unowned worker, unowned job] event in
            if event.name == "alloc" {
                worker.isAllocated = true
                countFluxJobs()
            }
            if event.name == "start" {
                if worker.command != nil { runsInFlux(worker.id) }
                if isHeard { listen(to: worker, job) }
            }
        }
        track(job) { [unowned self, weak worker] in if let worker { jobEnded(worker, $0) } }
        countFluxJobs()
    }

    /// Passes on what the job prints, as Flux tells it.
    private func listen(to worker: FluxWorker, _ job: FluxJob) {
        guard let flux else { return }
        worker.outputHasEnded = false
        flux.instance.watchOutput(of: job) { [unowned self, weak worker] output in
            guard let worker, let engineWorker = workers[worker.id] else { return }
            switch output {
            case .text(let text, isError: let isError):
                Array(text.utf8).withUnsafeBytes { engineWorker.outputs[isError ? 1 : 0].relayed($0) }
            case .end:
                worker.outputHasEnded = true
                if let ending = worker.ending { conclude(worker, ending) }
            }
        }
    }

    private func jobEnded(_ worker: FluxWorker, _ ending: FluxJob.Ending) {
        worker.ending = ending
        countFluxJobs()
        if worker.outputHasEnded { return conclude(worker, ending) }
        loop.schedule(after: Self.lastOutput) { [unowned self, weak worker] in
            if let worker { conclude(worker, ending) }
        }
    }

    private func conclude(_ worker: FluxWorker, _ ending: FluxJob.Ending) {
        guard let engineWorker = workers[worker.id], flux?.workers[worker.id] === worker else { return }
        if let reason = Self.refusal(ending, job: worker.job) {
            apply(.workerCannotPrepare(worker.id, reason: reason))
            return gone(engineWorker, .failed(reason))
        }
        gone(engineWorker, Self.processEnd(ending, of: engineWorker, job: worker.job))
    }

    /// Why the job can never run, in Flux's words; nil where that is not so.
    private static func refusal(_ ending: FluxJob.Ending, job: FluxJob?) -> String? {
        switch ending {
        case .refused(let fault): "Flux refuses its job: \(fault)"
        case .ended(let end) where end.isRefusal || end.exception?.type == "dependency":
            "its Flux job\(job?.id.map { " \($0)" } ?? "") \(end)"
        case .ended, .lost: nil
        }
    }

    private static func processEnd(_ ending: FluxJob.Ending, of worker: Worker, job: FluxJob?) -> ProcessEnd {
        let name = "its Flux job\(job?.id.map { " \($0)" } ?? "")"
        switch ending {
        case .lost(let fault), .refused(let fault): return .taken("\(name) is lost: \(fault)")
        case .ended(let end):
            // What this engine did itself is told by its signal.
            let isOurs = worker.stage == .terminated || worker.stage == .killed
            if end.result == .cancelled, isOurs { return .signalled(Int32(end.signal ?? Int(SIGTERM))) }
            if end.result == .cancelled || end.result == .timeout { return .taken("\(name) \(end)") }
            if !worker.mayHaveBegun { return .failed("\(name) \(end)".withLastWords(worker.errorTail)) }
            if let signal = end.signal { return .signalled(Int32(signal)) }
            return .exited(status: Int32(end.exitCode))
        }
    }

    /// Tells the leases how many cores jobs wait for.
    func countFluxJobs() {
        guard let flux else { return }
        var pending = 0, started = 0
        for worker in flux.workers.values where worker.job != nil && worker.ending == nil {
            let cores = worker.request.occupiedCores
            if worker.isAllocated {
                started += cores
            } else {
                // What needs cores side by side may find them only where all leases have gone.
                let isWhole =
                    worker.request.threadsPerCore > 1 || worker.request.step.isExclusive || worker.request.step.nodes != nil
                pending += isWhole ? max(cores, flux.facts?.resources.coreCount ?? 0) : cores
            }
        }
        flux.leases.setJobs(pendingCores: pending, startedCores: started)
        settleFluxSoon()
    }
}
