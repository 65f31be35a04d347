// SPDX-License-Identifier: BSD-3-Clause
import CSwiftlet
import Glibc
import SwiftletLaunch
import SwiftletModel
import SwiftletScheduler
import SwiftletTransport
import SwiftletWire

/// What an external program is started with, but for what its call says.
struct CommandPlace {
    /// The writing ends of its outputs, closed when they have left; nil: an agent, or Flux, relays them.
    let outputs: (output: Int32, errors: Int32)?
    /// Who starts it; nil: Flux, as a job or on a lease.
    let spawner: Spawner?
    let slot: Slot
    let request: ResourceRequest
    let settings: SlotVariables
}

// External programs as tasks. They speak no frames: the engine is their worker, the guardian starts them, and how they end is
// their value.
extension Engine {
    /// Bytes that are kept of each output, its last ones.
    private static let tailSize = 1 << 16

    /// Prepares the place of a program that the call, which follows at once, will name.
    /// - Throws: `SystemError` where there are no descriptors left.
    func startCommand(
        _ id: WorkerID, request: ResourceRequest, slot: Slot, _ settings: SlotVariables
    ) throws(SystemError) {
        let (outputRead, outputWrite) = try makePipe()
        let (errorRead, errorWrite) = try makePipe()
        let outputs = [outputRead, errorRead].map {
            OutputReader(descriptor: $0, keepsTail: true, tailSize: Self.tailSize, loop: loop)
        }
        let place = CommandPlace(
            outputs: (outputWrite, errorWrite), spawner: guardian, slot: slot, request: request, settings: settings)
        addCommand(id, place, outputs, signals: guardian)
    }

    /// The same on an agent's node.
    func startCommand(_ id: WorkerID, request: ResourceRequest, slot: Slot, _ settings: SlotVariables, on agent: Agent) {
        let outputs = [RelayStream.output, .errors].map {
            relayedOutput($0, of: id, on: agent, keepsTail: true, tailSize: Self.tailSize)
        }
        agent.relayed[id] = Agent.Relayed(
            link: RelayLink(worker: id.rawValue, carrier: agent.link, loop: loop), outputs: outputs)
        let place = CommandPlace(outputs: nil, spawner: agent.spawner, slot: slot, request: request, settings: settings)
        addCommand(id, place, outputs, signals: agent.spawner)
    }

    /// The same in an instance of Flux.
    func startCommandInFlux(_ id: WorkerID, request: ResourceRequest, slot: Slot, _ settings: SlotVariables, _ flux: FluxBackend)
    {
        let worker = FluxWorker(id: id, index: 0, request: request, settings: settings)
        flux.workers[id] = worker
        let outputs = fluxOutputs(of: worker, keepsTails: true, tailSize: Self.tailSize)
        let place = CommandPlace(outputs: nil, spawner: nil, slot: slot, request: request, settings: settings)
        addCommand(id, place, outputs, signals: flux)
    }

    private func addCommand(_ id: WorkerID, _ place: CommandPlace, _ outputs: [OutputReader], signals: any WorkerSignals) {
        let worker = Worker(
            id: id, peer: makePeer(NoLink(loop: loop)), outputs: outputs, spawner: signals, isFresh: true, slot: place.slot)
        worker.command = place
        // A step that is a program says nothing; that it runs is enough.
        worker.isStep = configuration?.nodes != nil && place.outputs != nil
        worker.hasGreeted = true
        workers[id] = worker
        watchMemory(of: worker)
    }

    /// Has the program started that the call says: blob 0 is the environment it is started in, the payload what and how.
    func launch(_ call: CallLayout, _ payload: UnsafeRawBufferPointer, on worker: Worker) {
        guard let place = worker.command else { return }
        do {
            let surroundings =
                try (call.blobs.first { _ in true }).flatMap { blobs[$0] }.map { try Attributes($0) } ?? Attributes()
            var reader = ByteReader(payload)
            var command = try Attributes(Payload.inlineParts(&reader)?.first ?? [])
            let common = surroundings[list: "env"] ?? []
            let ofSlot = place.settings.variables + SlotVariables.threads(place.request, in: common)
            command[list: "env"] = environment(environment(common, with: ofSlot), with: command[list: "env"] ?? [])
            command[text: "cwd"] = command[text: "cwd"] ?? surroundings[text: "cwd"]
            if !place.settings.cores.isEmpty { command[text: "cores"] = place.settings.cores }
            guard let spawner = place.spawner else { return startInFlux(command, of: worker.id) }
            guard let outputs = place.outputs else { return spawner.spawn(worker.id, command, isConnected: false) }
            if let launcher = configuration?.nodes { makeStep(of: &command, place, launcher) }
            spawner.spawn(worker.id, command, socket: nil, output: outputs.output, errors: outputs.errors)
        } catch {
            if let outputs = place.outputs {
                closeDescriptor(outputs.output)
                closeDescriptor(outputs.errors)
            }
            loop.afterThisTurn { [unowned self] in gone(worker, .failed("its call does not parse: \(error)")) }
        }
    }

    /// A program that a launcher starts on nodes, as so many ranks as it has cores.
    private func makeStep(of command: inout Attributes, _ place: CommandPlace, _ launcher: any NodeLauncher) {
        var request = place.request
        request.step.directory = command[text: "cwd"]
        let step = launcher.step(request, in: place.slot, program: command[list: "argv"] ?? [])
        command[list: "argv"] = step.arguments
        // The launcher is told nothing by what the client itself runs in, the program all that was asked for.
        let own = step.environment.filter { variable in
            let name = variable.prefix { $0 != "=" }
            return name.hasPrefix("SLURM_") || name.hasPrefix("SRUN_")
        }
        let rest = (command[list: "env"] ?? []).filter { variable in
            let name = variable.prefix { $0 != "=" }
            return !name.hasPrefix("SLURM_") && !name.hasPrefix("SRUN_")
        }
        command[list: "env"] = rest + own
        command[integer: "grace"] = step.grace
    }

    /// The program has ended: that is the task's value, however it ended. Only where it could not be started is it an error.
    func reportCommand(_ worker: Worker, _ end: ProcessEnd) {
        guard let task = worker.current, let run = runs[task], worker.stage == .running else { return }
        // Slurm has ended it, not its own doing: the task is lost with that reason, as any other.
        if worker.isStep, end != .exited(status: 0), SrunReport(worker.errorWords).isOverMemory { return }
        var report = ReportWriter()
        var failed = false
        switch end {
        case .exited(let status): report.add("exitStatus", integer: Int(status))
        case .signalled(let signal): report.add("signal", integer: Int(signal))
        case .memoryLimit, .taken: return  // the task is lost with that reason, as any other
        case .failed(let reason):
            failed = true
            report.add("code", text: "refused")
            report.add("description", text: reason)
        }
        if !failed {
            report.add("output", bytes: worker.outputs[0].tail)
            report.add("errors", bytes: worker.outputs[1].tail)
            report.add("outputCount", integer: worker.outputs[0].total)
            report.add("errorCount", integer: worker.outputs[1].total)
            report.add("nanoseconds", integer: Int(clamping: sl_monotonic_ns() - (worker.upSince ?? run.begun)))
        }
        payloadInHand = (task, Payload(inline: report.finished()).bytes)
        apply(.taskEnded(task, worker.id, failed: failed))
    }
}

extension Attributes {
    /// Reads bytes that are nothing but attributes.
    init(_ bytes: [UInt8]) throws(WireError) {
        var result: Result<Attributes, WireError> = .success(Attributes())
        bytes.withUnsafeBytes { raw in
            result = Result { () throws(WireError) in try Attributes(body: raw) }
        }
        self = try result.get()
    }
}

/// Writes a map as CBOR (RFC 8949), the form in which Swift programs read values.
private struct ReportWriter {
    private var bytes: [UInt8] = [0xbf]

    mutating func add(_ key: String, integer: Int) {
        head(3, key.utf8.count)
        bytes += key.utf8
        if integer >= 0 { head(0, integer) } else { head(1, ~integer) }
    }

    mutating func add(_ key: String, text: String) {
        head(3, key.utf8.count)
        bytes += key.utf8
        head(3, text.utf8.count)
        bytes += text.utf8
    }

    mutating func add(_ key: String, bytes value: [UInt8]) {
        head(3, key.utf8.count)
        bytes += key.utf8
        head(2, value.count)
        bytes += value
    }

    func finished() -> [UInt8] { bytes + [0xff] }

    private mutating func head(_ major: UInt8, _ argument: Int) {
        if argument < 24 {
            bytes.append(major << 5 | UInt8(argument))
        } else {
            bytes.append(major << 5 | 27)
            withUnsafeBytes(of: UInt64(argument).bigEndian) { bytes += $0 }
        }
    }
}
