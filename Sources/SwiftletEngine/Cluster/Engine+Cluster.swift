// SPDX-License-Identifier: BSD-3-Clause
import SwiftletCluster
import SwiftletModel
import SwiftletTransport
import SwiftletWire

extension Engine {
    /// Calls are jobs from now on.
    func startCluster(_ system: String, _ configuration: EngineConfiguration) throws {
        let jobs: any JobSystem
        switch system {
        case "local": jobs = LocalJobs(engine: self, configuration: configuration)
        case "slurm": jobs = SlurmJobs(engine: self, configuration: configuration)
        default: throw WireError("CONFIGURE names the unknown system of jobs \(system)")
        }
        cluster = try ClusterShell(engine: self, jobs: jobs, configuration: configuration)
    }
}
