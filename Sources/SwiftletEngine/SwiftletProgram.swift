// SPDX-License-Identifier: BSD-3-Clause
import CSwiftlet
import Glibc
import SwiftletLaunch
import SwiftletTransport

/// The `swiftlet` program: an engine for a client that started it, and the guardian that the engine starts.
public enum SwiftletProgram {
    static let usage = """
        usage: swiftlet --version
               swiftlet engine --fd N [--client-pid PID] [--log PATH]
               swiftlet flux [URI]

        `swiftlet flux` prints what the Flux instance at a local URI (else this machine's own) has.
        The engine is started by its client (the Python package swiftlet) on one end of a socket pair, descriptor N.
        It has nothing to offer on a terminal; see the README for how to use the package.

        """

    public static func run(_ arguments: [String]) -> Never {
        switch arguments.dropFirst().first {
        case "engine": engine(Options(arguments.dropFirst(2)))
        case "agent" where arguments.dropFirst(2).first == "--tickets": agentJob(Array(arguments.dropFirst(2)))
        case "agent":
            AgentProgram.run(
                ticketFile: Options(arguments.dropFirst(2)).values["--ticket"], guardianArguments: ["swiftlet", "guardian"])
        case "guardian": GuardianProcess.run(descriptor: 3)
        case "flux": FluxCommand.run(uri: arguments.dropFirst(2).first)
        case "shared": shared(arguments.dropFirst(2))
        case "--version":
            print("swiftlet \(productVersion)")
            exit(0)
        default:
            _ = write(2, usage, usage.utf8.count)
            exit(2)
        }
    }

    /// `--name value` pairs.
    private struct Options {
        var values: [String: String] = [:]

        init(_ arguments: ArraySlice<String>) {
            var rest = arguments
            while let name = rest.popFirst() {
                guard ["--fd", "--client-pid", "--log", "--ticket"].contains(name), let value = rest.popFirst() else {
                    SwiftletProgram.refuse(name)
                }
                values[name] = value
            }
        }
    }

    /// `shared MILLISECONDS COMMAND…`: the command's answer, or one that is at most so old.
    private static func shared(_ arguments: ArraySlice<String>) -> Never {
        SharedAnswers.run(arguments)
        refuse("shared")
    }

    private static func refuse(_ argument: String) -> Never {
        let message = "swiftlet: \(argument) is not an option, or its value is missing\n\(usage)"
        _ = write(2, message, message.utf8.count)
        exit(2)
    }

    /// An agent that is a job of a batch system. Its ticket is in a file.
    private static func agentJob(_ arguments: [String]) -> Never {
        guard let job = AgentJob(arguments, input: { readText(0) }) else {
            refuse(arguments.joined(separator: " "))
        }
        guard let ticket = job.takeTicket() else { exit(3) }
        AgentProgram.closeStandardInput()
        AgentProcess.run(
            ticket: ticket, node: AgentProgram.nodeName(), job: job, version: productVersion,
            guardianArguments: ["swiftlet", "guardian"])
    }

    private static func engine(_ options: Options) -> Never {
        guard let descriptor = options.values["--fd"].flatMap({ Int32($0) }) else { refuse("--fd") }
        sl_ignore_terminal_signals()
        sl_raise_descriptor_limit()
        _ = sl_become_subreaper()
        _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
        let loop = EventLoop()
        let link = SocketLink(descriptor: descriptor, loop: loop)
        let guardian: Int32
        do {
            let engine = try Engine(
                loop: loop, client: link, guardianArguments: ["swiftlet", "guardian"],
                clientProcess: options.values["--client-pid"].flatMap { Int32($0) }.flatMap { $0 == getppid() ? $0 : nil },
                log: EngineLog(path: options.values["--log"]), onEnd: {})
            guardian = engine.guardianProcess
            withExtendedLifetime(engine) { loop.run() }
        } catch {
            let message = "swiftlet: \(error)\n"
            _ = write(2, message, message.utf8.count)
            exit(1)
        }
        exit(endAllDescendants(guardian: guardian).isEmpty ? 0 : 1)
    }
}
