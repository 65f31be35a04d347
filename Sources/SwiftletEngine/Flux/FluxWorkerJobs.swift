// SPDX-License-Identifier: BSD-3-Clause
import SwiftletFlux
import SwiftletLaunch
import SwiftletModel
import SwiftletWire

/// The jobs an executor submits, as data.
struct FluxWorkerJobs: Sendable {
    var settings: FluxSettings
    /// `NAME=value`, of the client.
    var environment: [String]
    var directory: String?

    /// Reads the ticket into the standard input of the first task, and removes it. Others read nothing.
    private static let withTicket = """
        if [ "${FLUX_TASK_RANK:-0}" = 0 ]; then exec <"$0" || exit 90; rm -f "$0"; else exec </dev/null; fi; exec "$@"
        """

    /// The same for each task.
    private static let withTickets = #"exec <"$0" || exit 90; exec "$@""#

    private func spec(_ program: [String], ticket: String, variables: [String], isReadByAll: Bool = false) -> Jobspec {
        var spec = Jobspec(command: ["/bin/sh", "-c", isReadByAll ? Self.withTickets : Self.withTicket, ticket] + program)
        spec.directory = directory
        spec.environment = SwiftletLaunch.environment(environment, with: variables).compactMap { FluxEnvironment.variable($0) }
        return spec
    }

    /// A job that holds `places` places for workers on one node, with an agent.
    func lease(_ shape: FluxLeases.Shape, places: Int, ticket: String) -> Jobspec {
        var spec = spec(settings.agent, ticket: ticket, variables: [])
        spec.name = "swiftlet"
        spec.coresPerTask = shape.cores * places
        spec.gpusPerTask = shape.gpus * places
        spec.options["pmi"] = "off"
        spec.standardOutput = .file("/dev/null")
        return spec
    }

    /// A job for one worker: a process, a group of MPI ranks, or the first process of an instance.
    /// - Parameters:
    ///   - file: where its output goes, without the ending; nil: Flux keeps it.
    ///   - isReadByAll: each rank has a ticket in the file.
    func worker(
        _ request: ResourceRequest, program: [String], ticket: String, variables: [String], file: String?,
        isReadByAll: Bool = false
    ) -> Jobspec {
        var spec = spec(program, ticket: ticket, variables: variables, isReadByAll: isReadByAll)
        ask(request, of: &spec)
        if let file {
            spec.standardOutput = .file(file + ".out")
            spec.standardErrors = .file(file + ".err")
        }
        if settings.nests {
            spec.command = ["flux", "broker"] + spec.command
            spec.onePerNode = true
            spec.options["mpi"] = "none"
            spec.options["exit-timeout"] = "none"
        } else {
            if request.isGroup { spec.options["exit-on-error"] = 1 }
            spec.options["pmi"] = request.isGroup ? settings.pmi.map { .string($0) } : "off"
        }
        return spec
    }

    /// A job that runs an external program, as so many MPI ranks as it has cores.
    func command(_ request: ResourceRequest, _ command: Attributes) -> Jobspec {
        func file(_ key: String) -> Jobspec.Output {
            guard let path = command[text: key] else { return .kept }
            return .file(path.hasPrefix("/") ? path : "\(command[text: "cwd"] ?? directory ?? ".")/\(path)")
        }
        var spec = Jobspec(command: command[list: "argv"] ?? [])
        if let input = command[text: "stdin_file"] {
            spec.command = ["/bin/sh", "-c", #"exec <"$0" && exec "$@""#, input] + spec.command
        }
        spec.environment = (command[list: "env"] ?? []).compactMap { FluxEnvironment.variable($0) }
        ask(request, of: &spec)
        spec.directory = command[text: "cwd"] ?? directory
        (spec.standardOutput, spec.standardErrors) = (file("stdout_file"), file("stderr_file"))
        spec.options["pmi"] = request.isGroup ? settings.pmi.map { .string($0) } : "off"
        if request.isGroup { spec.options["exit-on-error"] = 1 }
        return spec
    }

    private func ask(_ request: ResourceRequest, of spec: inout Jobspec) {
        spec.name = "swiftlet"
        spec.tasks = request.cores
        spec.coresPerTask = request.threadsPerCore
        spec.gpusPerTask = request.step.gpusPerCore
        spec.nodes = request.step.nodes
        spec.isExclusive = request.step.isExclusive
        if spec.isExclusive, spec.nodes == nil { spec.nodes = 1 }
        if let directory = request.step.directory { spec.directory = directory }
        // Seconds are kept by the engine, from the start of the call; this is for the case that it cannot.
        if let limit = request.timeLimit { spec.duration = (Double(limit) / 1e9).rounded(.up) + 60 }
    }
}
