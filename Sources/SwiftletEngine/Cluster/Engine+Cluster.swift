// SPDX-License-Identifier: BSD-3-Clause
import SwiftletCluster
import SwiftletFlux
import SwiftletModel
import SwiftletTransport
import SwiftletWire

extension Engine {
    /// Calls are jobs from now on.
    func startCluster(_ system: String, _ configuration: EngineConfiguration) throws {
        guard let jobs = try jobSystem(system, configuration) else { return }
        cluster = try ClusterShell(engine: self, jobs: jobs, configuration: configuration)
    }

    /// Agents are jobs, queued now.
    func startAgentJobs(_ settings: AgentJobSettings, _ configuration: EngineConfiguration) throws {
        guard let jobs = try jobSystem(settings.system, configuration) else { return }
        let agentJobs = try AgentJobs(engine: self, system: jobs, settings, count: configuration.inventory.nodes.count)
        self.agentJobs = agentJobs
        agentJobs.start()
    }

    /// nil where it cannot be had: the engine has failed with that reason.
    private func jobSystem(_ system: String, _ configuration: EngineConfiguration) throws -> (any JobSystem)? {
        switch system {
        case "local": return LocalJobs(engine: self, configuration: configuration)
        case "slurm": return SlurmJobs(engine: self, configuration: configuration)
        case "flux":
            do {
                return try FluxJobSystem(engine: self, configuration: configuration, attributes: configuration.fluxCluster)
            } catch {
                fail(FluxAddress.hint(for: error, uri: configuration.fluxCluster.uri))
                return nil
            }
        default: throw WireError("CONFIGURE names the unknown system of jobs \(system)")
        }
    }
}
