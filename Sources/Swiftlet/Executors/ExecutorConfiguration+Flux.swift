// SPDX-License-Identifier: BSD-3-Clause

extension ExecutorConfiguration {
    /// In the instance of Flux that this program runs in (`FLUX_URI`), else the machine's own. Tasks on one node share a few jobs that hold
    /// cores for as long as tasks come, so that one starts within milliseconds. Tasks that are ``ResourceRequest/isExclusive`` or
    /// ``ResourceRequest/isStep``, and a ``Command`` with several cores, are jobs of Flux of their own.
    ///
    /// The program's file must be at the same path on all nodes.
    ///
    /// - Parameters:
    ///   - maxCores: cores that all running tasks occupy together; unless said otherwise those of the instance.
    ///   - maxWorkers: workers at a time; unless said otherwise as many as the cores allow.
    ///   - address: numeric address of this machine that the nodes reach; unless said otherwise `SWIFTLET_ADDRESS` in the environment,
    ///     or else what the system would take.
    public static func fluxJob(
        maxCores: Int? = nil, maxWorkers: Int? = nil, mode: WorkerMode = .fresh, resources: ResourceRequest = ResourceRequest(),
        restartLimit: Int = 0, environment: [String: String] = [:], program: String? = nil, address: String? = nil
    ) -> ExecutorConfiguration {
        var configuration = ExecutorConfiguration(
            maxWorkers: maxWorkers, maxCores: maxCores, mode: mode, resources: resources, restartLimit: restartLimit,
            environment: environment, program: program)
        configuration.site = .fluxJob(address: address)
        return configuration
    }

    /// Each task a job of the instance of Flux that this program runs in, else the machine's own; inputs are dependencies of jobs. The
    /// program may leave and come back, as with ``slurmCluster(cacheDirectory:resources:environment:program:)``.
    /// ``ResourceRequest/launcherArguments`` may be `--queue=…` and `--bank=…`. What a task prints is with its job (`flux job attach`).
    ///
    /// The program's file and the cache directory must be at the same path on all nodes. A program that is rebuilt ends tasks that were
    /// queued before with an error that says so.
    public static func fluxCluster(
        cacheDirectory: String, resources: ResourceRequest = ResourceRequest(), environment: [String: String] = [:],
        program: String? = nil
    ) -> ExecutorConfiguration {
        var configuration = ExecutorConfiguration(
            maxWorkers: nil, maxCores: nil, mode: .fresh, resources: resources, restartLimit: 0, environment: environment,
            program: program)
        configuration.cacheDirectory = cacheDirectory
        configuration.site = .fluxCluster
        return configuration
    }
}
