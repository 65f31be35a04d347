// SPDX-License-Identifier: BSD-3-Clause
import CSwiftlet
import Glibc
import SwiftletCluster
import SwiftletFlux
import SwiftletLaunch
import SwiftletModel
import SwiftletScheduler
public import SwiftletTransport
import SwiftletWire

/// The shell around the scheduler: it holds the state, turns frames into events, and carries out the actions.
/// Everything happens on the thread of its loop. There is one way into the scheduler, `apply`.
public final class Engine {
    let loop: EventLoop
    let client: Peer
    let guardian: Spawner
    let guardianProcess: Int32
    let log: EngineLog
    /// The client's end is the end of its connection; where a copy of that lives on in another process, this tells.
    private var clientWatch: ProcessWatch?
    /// Called once when the engine has nothing left to do; the process (or the thread) can end.
    let onEnd: () -> Void

    var configuration: EngineConfiguration?
    var scheduler: Scheduler?
    private var actions: [SchedulerAction] = []
    private var waitingEvents: [SchedulerEvent] = []
    private var isApplying = false

    /// The store behind calls that have a place in one; nil until the first comes.
    var callStore: CallStore?
    /// In the place of the scheduler where calls are jobs.
    var cluster: ClusterShell?
    /// Processes that the guardian started for a job system on this machine: who hears of them, and what they print.
    var jobProcesses: [WorkerID: (ProcessEnd?) -> Void] = [:]
    var jobOutputs: [WorkerID: [OutputReader]] = [:]
    /// Scripts that the client is asked to make of its templates.
    var lastRendering: UInt64 = 0
    var renderings: [UInt64: (Result<String, JobRefusal>) -> Void] = [:]
    /// Requests as the client sent them, for job systems and the headers of entries.
    var directives: [RequestID: Attributes] = [:]
    var requests: [RequestID: ResourceRequest] = [:]
    var tasks: [TaskID: TaskPayloads] = [:]
    var runs: [TaskID: Run] = [:]
    var workers: [WorkerID: Worker] = [:]
    var forkServer: ForkServer?
    var forkServersStarted: UInt32 = 0
    /// How many have died since one last forked a worker.
    var forkServersFailed = 0
    var forkServerFault: ForkServerFault?
    var peers: [UInt32: Peer] = [:]
    /// The instance of Flux that workers run in; nil: they do not.
    var flux: FluxBackend?
    /// Jobs of Flux that the client submits for us.
    var submissions: [UInt64: (Result<FluxJobID, FluxFault>) -> Void] = [:]
    var lastSubmission: UInt64 = 0
    var listener: SecureListener?
    /// The agents by the places of their nodes, and the commands that start them.
    var agents: [Int: Agent] = [:]
    var agentSteps: [WorkerID: AgentStep] = [:]
    /// Where agents are jobs of a batch system.
    var agentJobs: AgentJobs?
    /// Agents that have not said which node they are on.
    var strangers: [Spawner] = []
    /// Nodes whose agents will be started again in a moment.
    var restarting: Set<Int> = []
    /// How often the agent of a node was lost since it last ran something.
    var agentFailures: [Int: Int] = [:]
    /// Everything has ended, the agents are going.
    var isDismissing = false
    /// Why commands that start agents have ended, oldest first.
    var agentFaults: [String] = []
    /// Processes of the guardian's that are no workers are numbered down from here.
    private var lastHelper: UInt32 = .max >> 1
    /// What each rank of a step runs; the number of ranks is appended.
    var rankWorker: [String] = []
    /// How groups are started; the client says it before it asks for the first one.
    var groupLauncher: MPILauncher?
    private var nextOrigin: UInt32 = 2
    /// Where the workers are a program of the client's own; nil: they are ours, and known to be workers.
    let workerProgram: WorkerProgram?
    private var guardianTimer: UInt64 = 0
    var guardianHasGreeted = false

    var blobs = BlobTable()
    var segments = SegmentTable()
    /// Bytes of arguments and values that lie in the engine's own memory.
    var inlineBytes: UInt64 = 0
    /// Those of them that go when their tasks have ended, without anybody's doing.
    var argumentBytes: UInt64 = 0
    var budgetLevel: UInt8 = 0

    /// The value or error that the event at hand brings.
    var payloadInHand: (task: TaskID, bytes: [UInt8])?
    /// Why the worker of the event at hand has ended; for the reasons of a lost task.
    var initFailure: [UInt8]?
    /// Why tasks that somebody may depend on have no value.
    var causes: [TaskID: Cause] = [:]

    var unannounced: [Worker] = []
    var announcementIsScheduled = false
    var outputInFlight = 0
    var outputIsPaused = false
    var isSubscribed = false
    var isPaused = false
    var memoryLookIsScheduled = false
    private var wakeTimer: UInt64 = 0
    var ending = Ending.no

    /// How far the end of the engine has come.
    enum Ending { case no, goodbye, done }

    /// - Parameters:
    ///   - client: a link to the client; the engine takes it over.
    ///   - guardianProgram: the program that is the guardian: this one, unless it cannot be one.
    ///   - guardianArguments: how it is started as guardian (argv).
    ///   - clientProcess: the client's process, watched where the system can.
    ///   - workerProgram: the program that is guardian and workers, where it is the client's own.
    /// - Throws: `SystemError` where the guardian cannot be started.
    public init(
        loop: EventLoop, client link: Link, guardianProgram: String = "/proc/self/exe", guardianArguments: [String],
        clientProcess: Int32?, workerProgram: WorkerProgram? = nil, log: EngineLog, onEnd: @escaping () -> Void
    ) throws {
        self.loop = loop
        self.log = log
        self.onEnd = onEnd
        self.workerProgram = workerProgram
        client = Peer(origin: 1, link: link)
        (guardian, guardianProcess) = try Spawner.startGuardian(
            program: guardianProgram, arguments: guardianArguments, loop: loop)
        peers[1] = client
        link.onFrame = { [unowned self] in try receivedFromClient($0, $1) }
        link.onClose = { [unowned self] in clientIsGone(reason: $0) }
        link.onDrained = { [unowned self] in clientHasRead() }
        guardian.onClose = { [unowned self] _ in guardianIsGone() }
        awaitGuardian()
        guardian.onForked = { [unowned self] in forked($0, $1, by: guardian) }
        guardian.onEnded = { [unowned self] in processEnded($0, $1, by: guardian) }
        loop.gathering = { [unowned self] in gatheringTime }
        clientWatch = clientProcess.flatMap { process in
            ProcessWatch(process: process, loop: loop) { [unowned self] in clientIsGone(reason: "process \(process) has ended") }
        }
        sendHello(to: client)
        log.write("engine \(getpid()) started")
    }

    /// A client's own program may be none that can be a guardian, and never say so.
    private func awaitGuardian() {
        guard let workerProgram else { return }
        guardian.onHello = { [unowned self] _ in
            guardianHasGreeted = true
            loop.cancel(timer: guardianTimer)
        }
        guardianTimer = loop.schedule(after: workerProgram.startLimit) { [unowned self] in
            kill(-guardianProcess, SIGKILL)
            fail(workerProgram.isLate, isRefusal: true)
        }
    }

    private func guardianIsGone() {
        guard let workerProgram, !guardianHasGreeted else { return fail("the guardian process died") }
        fail(workerProgram.isNone("it ended without doing so"), isRefusal: true)
    }

    /// While every worker has several short calls ahead, one turn for many of them costs less than a wake-up for each.
    private var gatheringTime: UInt64 {
        guard let scheduler, !workers.isEmpty else { return 0 }
        let ahead = scheduler.prefetched / workers.count
        return ahead >= 32 ? 250_000 : ahead >= 4 ? 100_000 : 0
    }

    /// A number for a process that is no worker.
    func nextHelper() -> WorkerID {
        lastHelper -= 1
        return WorkerID(lastHelper)
    }

    func makePeer(_ link: Link) -> Peer {
        let peer = Peer(origin: nextOrigin, link: link)
        nextOrigin += 1
        peers[peer.origin] = peer
        return peer
    }

    func sendHello(to peer: Peer) {
        peer.link.send(.hello, id: protocolVersion) { bytes in
            var attributes = Attributes()
            attributes[text: "role"] = "engine"
            attributes[text: "version"] = productVersion
            attributes[integer: "pid"] = Int(getpid())
            attributes[integer: "origin"] = Int(peer.origin)
            if !peer.takesSegments { attributes[integer: "segments"] = 0 }
            if peer !== client, peer.link is SocketLink { attributes[integer: "board"] = 1 }
            attributes.write(to: &bytes)
        }
        if budgetLevel > 0 { peer.link.send(.budget, id: UInt64(budgetLevel)) }
    }

    /// The one door: tells the scheduler what happened and does what it says. Events that come up meanwhile wait for their turn.
    func apply(_ event: SchedulerEvent) {
        guard !isApplying else { return waitingEvents.append(event) }
        isApplying = true
        scheduler?.handle(event, at: Instant(nanoseconds: sl_monotonic_ns()), into: &actions)
        carryOutActions()
    }

    /// Starts the warm workers.
    func startPool() {
        isApplying = true
        scheduler?.start(at: Instant(nanoseconds: sl_monotonic_ns()), into: &actions)
        carryOutActions()
    }

    private func carryOutActions() {
        while true {
            for action in actions { carryOut(action) }
            actions.removeAll(keepingCapacity: true)
            if payloadInHand != nil { dropPayloadInHand() }
            guard !waitingEvents.isEmpty else { break }
            let event = waitingEvents.removeFirst()
            scheduler?.handle(event, at: Instant(nanoseconds: sl_monotonic_ns()), into: &actions)
        }
        isApplying = false
    }

    private func carryOut(_ action: SchedulerAction) {
        switch action {
        case .startWorker(let worker, let index, let request, let slot): start(worker, index: index, request: request, slot: slot)
        case .assign(let task, let worker, let attempt): send(task, to: worker, attempt: attempt)
        case .begun(let task, let worker, let attempt): begun(task, on: worker, attempt: attempt)
        case .recall(let task, let worker): recall(task, from: worker)
        case .endWorker(let worker, let politely): end(worker, politely: politely)
        case .ended(let task, let outcome, let tellClient): ended(task, outcome, tellClient: tellClient)
        case .dropArguments(let task): dropArguments(of: task)
        case .dropValue(let task): dropValue(of: task)
        case .wake(let instant):
            loop.cancel(timer: wakeTimer)
            wakeTimer = loop.schedule(at: instant.nanoseconds) { [unowned self] in apply(.timePassed) }
        case .finished: finish()
        }
    }
}

/// The version of the product, for messages and handshakes.
public let productVersion = "0.1.0"
