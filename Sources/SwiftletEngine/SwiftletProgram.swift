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
        case "agent": agent(Options(arguments.dropFirst(2)))
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
        guard let age = arguments.first.flatMap({ UInt64($0) }), arguments.count > 1 else { refuse("shared") }
        SharedCommand.run(Array(arguments.dropFirst()), maxAge: age * 1_000_000)
    }

    private static func refuse(_ argument: String) -> Never {
        let message = "swiftlet: \(argument) is not an option, or its value is missing\n\(usage)"
        _ = write(2, message, message.utf8.count)
        exit(2)
    }

    /// The deputy of an engine on a node. Its ticket is the first line of the standard input, or of the file `--ticket` names.
    private static func agent(_ options: Options) -> Never {
        let file = options.values["--ticket"].map { open($0, O_RDONLY | O_CLOEXEC) } ?? 0
        var line: [UInt8] = []
        var byte: UInt8 = 0
        while line.count < 4096, read(file, &byte, 1) == 1, byte != UInt8(ascii: "\n") { line.append(byte) }
        guard let ticket = Ticket(line: String(decoding: line, as: UTF8.self)) else {
            let message = "swiftlet: an agent is started by its engine, which gives it a ticket\n"
            _ = write(2, message, message.utf8.count)
            exit(2)
        }
        let null = open("/dev/null", O_RDONLY | O_CLOEXEC)
        dup2(null, 0)
        var name = [CChar](repeating: 0, count: 256)
        gethostname(&name, 255)
        let node = getenv("SLURMD_NODENAME").map { String(cString: $0) } ?? String(cString: name)
        AgentProcess.run(ticket: ticket, node: node, version: productVersion)
    }

    private static func engine(_ options: Options) -> Never {
        guard let descriptor = options.values["--fd"].flatMap({ Int32($0) }) else { refuse("--fd") }
        sl_ignore_terminal_signals()
        sl_raise_descriptor_limit()
        _ = sl_become_subreaper()
        _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
        let loop = EventLoop()
        let link = SocketLink(descriptor: descriptor, loop: loop)
        do {
            let engine = try Engine(
                loop: loop, client: link, guardianArguments: ["swiftlet", "guardian"],
                clientProcess: options.values["--client-pid"].flatMap { Int32($0) }.flatMap { $0 == getppid() ? $0 : nil },
                log: EngineLog(path: options.values["--log"]), onEnd: {})
            withExtendedLifetime(engine) { loop.run() }
        } catch {
            let message = "swiftlet: \(error)\n"
            _ = write(2, message, message.utf8.count)
            exit(1)
        }
        exit(endAllDescendants().isEmpty ? 0 : 1)
    }
}
