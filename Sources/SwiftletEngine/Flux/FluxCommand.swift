// SPDX-License-Identifier: BSD-3-Clause
import Glibc
import SwiftletFlux
import SwiftletLaunch
import SwiftletTransport

/// `swiftlet flux [URI]`: what an instance of Flux has, as one line of JSON. The Python package asks before it starts an engine.
enum FluxCommand {
    /// How long an instance may take to become ready, in nanoseconds.
    private static let patience: UInt64 = 60_000_000_000

    static func run(uri: String?) -> Never {
        let loop = EventLoop()
        var answer: Result<FluxFacts, FluxFault> = .failure(FluxFault("it did not become ready within a minute"))
        do throws(FluxFault) {
            let instance = try FluxInstance(socket: try FluxAddress.socketPath(uri), loop: loop)
            instance.onReady = {
                answer = .success($0)
                loop.stop()
            }
            instance.onLost = {
                answer = .failure($0)
                loop.stop()
            }
            loop.schedule(after: patience) { loop.stop() }
            loop.run()
            print(json(of: try answer.get()).text)
            exit(0)
        } catch {
            let text = FluxAddress.hint(for: error, uri: uri) + "\n"
            _ = write(2, text, text.utf8.count)
            exit(1)
        }
    }

    private static func json(of facts: FluxFacts) -> JSON {
        let nodes = facts.resources.nodes.map { node -> JSON in
            ["name": .string(node.host), "cores": .integer(Int64(node.cores.count)), "gpus": .integer(Int64(node.gpus.count))]
        }
        return [
            "version": .string(facts.version), "owned": .bool(facts.isOwned), "free_cores": .integer(Int64(facts.freeCores)),
            "nodes": .array(nodes),
        ]
    }
}
