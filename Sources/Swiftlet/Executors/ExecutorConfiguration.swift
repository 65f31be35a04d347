// SPDX-License-Identifier: BSD-3-Clause
import SwiftletWire

/// Where and how tasks run: a value that ``withExecutor(_:_:)`` makes an ``Executor`` from. The tasks do not know.
public struct ExecutorConfiguration: Sendable {
    /// Workers at a time, in fresh mode at most, in warm mode exactly; nil: as many as the cores allow.
    public var maxWorkers: Int?
    /// Cores that all running tasks occupy together.
    public var maxCores: Int
    public var mode: WorkerMode
    /// What a task asks for that does not say so itself. In warm mode also what each worker holds: no task may ask for more.
    public var resources: ResourceRequest
    /// How often a task is started again when its worker dies while it runs. The default, none, never runs a task twice.
    public var restartLimit: Int
    /// Environment variables of the workers, beside those of this program.
    public var environment: [String: String]
    /// The program that the workers run; nil: this one.
    public var program: String?
    /// Who is told of every task.
    public var observers: [any TaskObserver] = []

    /// On this machine.
    ///
    /// ```swift
    /// .singleNode(maxCores: 4)                              // a new process for each task
    /// .singleNode(maxWorkers: 2, mode: .warm)               // processes that stay
    /// .singleNode(mode: .warm(preparing: LoadModel(path)))  // that have something ready
    /// ```
    ///
    /// - Parameters:
    ///   - maxCores: cores that all running tasks occupy together; unless said otherwise those this process may use.
    ///   - maxWorkers: workers at a time; unless said otherwise as many as the cores allow.
    ///   - program: the program that the workers run: this one unless said otherwise. It must enter worker mode (``TaskProgram``)
    ///     and have the types of the tasks. Where it is replaced while the executor exists, tasks fail and say so.
    public static func singleNode(
        maxCores: Int? = nil, maxWorkers: Int? = nil, mode: WorkerMode = .fresh, resources: ResourceRequest = ResourceRequest(),
        restartLimit: Int = 0, environment: [String: String] = [:], program: String? = nil
    ) -> ExecutorConfiguration {
        ExecutorConfiguration(
            maxWorkers: maxWorkers, maxCores: maxCores ?? availableCores(), mode: mode, resources: resources,
            restartLimit: restartLimit, environment: environment, program: program)
    }

    /// - Throws: ``TaskError`` (`refused`) that names what makes no sense.
    func validate() throws(TaskError) {
        guard maxCores >= 1 else { throw TaskError(.refused, "maxCores is \(maxCores); an executor needs at least 1") }
        if let maxWorkers, maxWorkers < 1 {
            throw TaskError(.refused, "maxWorkers is \(maxWorkers); an executor needs at least 1")
        }
        guard restartLimit >= 0 else { throw TaskError(.refused, "restartLimit is \(restartLimit); it cannot be negative") }
        try resources.validate(maxCores: mode.isWarm && maxWorkers != nil ? nil : maxCores)
        for key in environment.keys where key.isEmpty || key.contains("=") {
            throw TaskError(.refused, "\"\(key)\" is no name of an environment variable")
        }
    }

    /// What bounds a single task's cores.
    var largestTask: Int { mode.isWarm ? resources.occupiedCores : maxCores }

    /// As frame CONFIGURE carries it.
    func attributes() throws(TaskError) -> Attributes {
        let build = try BuildIdentity.expected(of: program)
        var attributes = Attributes()
        attributes[text: "launch"] = "program"
        attributes[text: "mode"] = mode.isWarm ? "warm" : "fresh"
        attributes[integer: "max_workers"] = mode.isWarm ? maxWorkers ?? max(1, maxCores / resources.occupiedCores) : maxWorkers
        attributes[integer: "max_cores"] = mode.isWarm ? nil : maxCores
        attributes[integer: "restart_limit"] = restartLimit
        attributes[list: "worker_argv"] = [program ?? "/proc/self/exe", ProcessRole.worker, build.text]
        attributes[list: "worker_env"] = variables
        attributes[text: "worker_cwd"] = currentDirectory()
        return attributes
    }

    /// The environment of the workers.
    var variables: [String] {
        let inherited = environmentVariables().filter { variable in
            !environment.keys.contains(String(variable.prefix { $0 != "=" }))
        }
        return inherited + environment.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }
    }
}

/// How tasks meet processes.
public struct WorkerMode: Sendable {
    typealias Preparation = @Sendable () throws(TaskError) -> (name: String, bytes: [UInt8])

    let isWarm: Bool
    let preparation: Preparation?

    /// Each task in a process of its own, which ends with it: nothing is left of one task for another.
    public static let fresh = WorkerMode(isWarm: false, preparation: nil)

    /// Processes that stay and take task after task: the start of a process is paid once.
    public static let warm = WorkerMode(isWarm: true, preparation: nil)

    /// Processes that stay, and in which `preparation` has run before the first task; tasks find what it made in
    /// ``WorkerPreparation/state``.
    public static func warm<P: WorkerPreparation>(preparing preparation: P) -> WorkerMode {
        WorkerMode(isWarm: true) { () throws(TaskError) in
            (try TypeName.require(P.self), try TaskCoding.encode(preparation))
        }
    }
}
