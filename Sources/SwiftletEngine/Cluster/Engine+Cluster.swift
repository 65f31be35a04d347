// SPDX-License-Identifier: BSD-3-Clause
import SwiftletCluster
import SwiftletFlux
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
        case "flux":
            do {
                jobs = try FluxJobSystem(engine: self, configuration: configuration, attributes: configuration.fluxCluster)
            } catch {
                return fail(FluxAddress.hint(for: error, uri: configuration.fluxCluster.uri))
            }
        default: throw WireError("CONFIGURE names the unknown system of jobs \(system)")
        }
        cluster = try ClusterShell(engine: self, jobs: jobs, configuration: configuration)
    }
}
