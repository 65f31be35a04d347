// SPDX-License-Identifier: BSD-3-Clause
import SwiftletWire

/// Where and how tasks run: a value that ``withExecutor(_:_:)`` makes an ``Executor`` from. The tasks do not know.
public struct ExecutorConfiguration: Sendable {
    /// Workers at a time, in fresh mode at most, in warm mode exactly; nil: as many as the cores allow.
    public var maxWorkers: Int?
    /// Cores that all running tasks occupy together; nil: all there are.
    public var maxCores: Int?
    public var mode: WorkerMode
    /// What a task asks for that does not say so itself. In warm mode also what each worker holds: no task may ask for more.
    public var resources: ResourceRequest
    /// How often a task is started again when its worker dies while it runs. The default, none, never runs a task twice.
    public var restartLimit: Int
    /// Environment variables of the workers, beside those of this program.
    public var environment: [String: String]
    /// The program that the workers run; nil: this one.
    public var program: String?
    /// How long a process of ``program`` may take until it enters worker mode. Where it has not by then, or ends before, it is taken for a
    /// program that does not do that (see ``TaskProgram``), and tasks end with ``TaskError/Code/refused``.
    public var startLimit = Duration.seconds(60)
    /// Who is told of every task.
    public var observers: [any TaskObserver] = []
    /// Where values of tasks with a ``CacheKey`` are kept, and found by later programs; nil: nowhere.
    public var cacheDirectory: String?
    var site = Site.singleNode

    /// What kind of place the tasks run at.
    enum Site: Hashable, Sendable {
        case singleNode
        case slurmJob(address: String?)
        case slurmCluster
        case fluxJob(address: String?)
        case fluxCluster
    }

    /// On this machine; in a task, on what that was given of it.
    ///
    /// ```swift
    /// .singleNode(maxCores: 4)                              // a new process for each task
    /// .singleNode(maxWorkers: 2, mode: .warm)               // processes that stay
    /// .singleNode(mode: .warm(preparing: LoadModel(path)))  // that have something ready
    /// ```
    ///
    /// An executor that a task makes has the cores, the memory and the GPUs of that task (a rank its share of them), so that all tasks
    /// together stay within what the outermost executor has. More than that is refused. Such a task keeps its own cores while it waits.
    ///
    /// - Parameters:
    ///   - maxCores: cores that all running tasks occupy together; unless said otherwise those this process may use.
    ///   - maxWorkers: workers at a time; unless said otherwise as many as the cores allow.
    ///   - program: the program that the workers run: this one unless said otherwise. It must enter worker mode (``TaskProgram``),
    ///     within ``startLimit``, and have the types of the tasks. Where it is replaced while the executor exists, tasks fail and say so.
    public static func singleNode(
        maxCores: Int? = nil, maxWorkers: Int? = nil, mode: WorkerMode = .fresh, resources: ResourceRequest = ResourceRequest(),
        restartLimit: Int = 0, environment: [String: String] = [:], program: String? = nil
    ) -> ExecutorConfiguration {
        ExecutorConfiguration(
            maxWorkers: maxWorkers, maxCores: maxCores, mode: mode, resources: resources, restartLimit: restartLimit,
            environment: environment, program: program)
    }

    /// On the nodes of the Slurm allocation this program runs in (salloc, sbatch): an agent on each node, which one job step starts,
    /// runs tasks there within milliseconds. Tasks with `memory`, `isStep` or `launcherArguments` are job steps of their own. Outside of
    /// an allocation each worker is an srun that asks for one.
    ///
    /// The program's file must be at the same path on all nodes.
    ///
    /// - Parameters:
    ///   - maxCores: cores that all running tasks occupy together; unless said otherwise those of the allocation.
    ///   - maxWorkers: workers at a time; unless said otherwise as many as the cores allow, outside of an allocation 64.
    ///   - address: numeric address of this machine that the nodes reach; unless said otherwise `SWIFTLET_ADDRESS` in the environment,
    ///     or else what the system would take.
    public static func slurmJob(
        maxCores: Int? = nil, maxWorkers: Int? = nil, mode: WorkerMode = .fresh, resources: ResourceRequest = ResourceRequest(),
        restartLimit: Int = 0, environment: [String: String] = [:], program: String? = nil, address: String? = nil
    ) -> ExecutorConfiguration {
        var configuration = ExecutorConfiguration(
            maxWorkers: maxWorkers, maxCores: maxCores, mode: mode, resources: resources, restartLimit: restartLimit,
            environment: environment, program: program)
        configuration.site = .slurmJob(address: address)
        return configuration
    }

    /// Each task a batch job of Slurm (sbatch), of one node; alike ones become job arrays, and inputs dependencies of jobs. The program may
    /// leave (``Executor/leave()``) and come back: who submits a task with the same ``CacheKey`` gets its value, or waits for the same
    /// job. A default partition is all it takes; ``ResourceRequest/launcherArguments`` are options of sbatch (`--partition=…`).
    ///
    /// The program's file and the cache directory must be at the same path on all nodes. A program that is rebuilt ends tasks that were
    /// queued before with an error that says so.
    public static func slurmCluster(
        cacheDirectory: String, resources: ResourceRequest = ResourceRequest(), environment: [String: String] = [:],
        program: String? = nil
    ) -> ExecutorConfiguration {
        var configuration = ExecutorConfiguration(
            maxWorkers: nil, maxCores: nil, mode: .fresh, resources: resources, restartLimit: 0, environment: environment,
            program: program)
        configuration.cacheDirectory = cacheDirectory
        configuration.site = .slurmCluster
        return configuration
    }

    /// The environment of the workers.
    var variables: [String] {
        let inherited = environmentVariables().filter { variable in
            !environment.keys.contains(String(variable.prefix { $0 != "=" }))
        }
        return inherited + environment.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }
    }
}
