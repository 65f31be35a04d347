// SPDX-License-Identifier: BSD-3-Clause
import Glibc
import SwiftletEngine
import SwiftletLaunch
import Synchronization

/// A program whose own functions run as tasks. Its workers are the same program, started again:
/// `main()` recognises them before any code of yours runs.
///
/// ```swift
/// @main struct Sweep: TaskProgram {
///     static func body() async throws { … }
/// }
/// ```
public protocol TaskProgram {
    /// What the program does. What it throws is printed, and the program ends with status 1.
    static func body() async throws
}

extension TaskProgram {
    public static func main() async {
        await enterWorkerModeIfAsked()
        do { try await body() } catch {
            let message = "\(CommandLine.arguments.first ?? "\(Self.self)"): \(error)\n"
            _ = write(2, message, message.utf8.count)
            exit(1)
        }
    }
}

/// For programs with a `main` of their own: the first line, before any other code. Returns unless this process was started as a
/// worker, a guardian or an agent, which it then is until it ends. What comes before it runs in each of them, and has
/// ``ExecutorConfiguration/startLimit`` at most.
public func enterWorkerModeIfAsked() async {
    switch CommandLine.arguments.dropFirst().first {
    case ProcessRole.worker:
        ProcessRole.isServing.store(true, ordering: .relaxed)
        await WorkerProcess.run(build: CommandLine.arguments.dropFirst(2).first)
    case ProcessRole.step:
        ProcessRole.isServing.store(true, ordering: .relaxed)
        await WorkerProcess.runStep(build: CommandLine.arguments.dropFirst(2).first)
    case ProcessRole.job: await JobProcess.run(Array(CommandLine.arguments.dropFirst(2)))
    case ProcessRole.agent: AgentProgram.run(ticketFile: nil, guardianArguments: ["swiftlet", ProcessRole.guardian])
    case ProcessRole.guardian: InProcessEngine.runGuardian()
    case ProcessRole.sharing:
        SharedAnswers.run(CommandLine.arguments.dropFirst(2))
        exit(2)
    default: return
    }
}

/// First arguments of processes that the library starts.
enum ProcessRole {
    static let worker = "--swiftlet-worker"
    static let step = "--swiftlet-step"
    static let agent = "--swiftlet-agent"
    static let job = "--swiftlet-job"
    static let guardian = "--swiftlet-guardian"
    static let sharing = "--swiftlet-shared"

    /// This process is a worker and has entered worker mode: what runs in it now are tasks.
    static let isServing = Atomic(false)

    /// Stops a program that would start itself for ever.
    static func requireProgram() {
        let isMarked =
            [worker, step, agent, job, guardian, sharing].contains(CommandLine.arguments.dropFirst().first)
            || getenv(guardianMark) != nil
        guard isMarked, !isServing.load(ordering: .relaxed) else { return }
        fatalError(
            "an executor was made in a process that was started as a worker, before it entered worker mode: make the program a "
                + "TaskProgram, or call enterWorkerModeIfAsked() first of all (a script that starts it passes its arguments on)")
    }
}
