// SPDX-License-Identifier: BSD-3-Clause
import Glibc
import SwiftletFlux

/// `swiftlet flux [URI]`: what an instance of Flux has, as one line of JSON. The Python package asks before it starts an engine.
enum FluxCommand {
    static func run(uri: String?) -> Never {
        do throws(FluxInquiry.Failure) {
            print(json(of: try FluxInquiry.ask(uri: uri)).text)
            exit(0)
        } catch {
            let text = error.description + "\n"
            _ = write(2, text, text.utf8.count)
            exit(1)
        }
    }

    private static func json(of answer: FluxInquiry) -> JSON {
        let nodes = answer.nodes.map { node -> JSON in
            ["name": .string(node.host), "cores": .integer(Int64(node.cores)), "gpus": .integer(Int64(node.gpus))]
        }
        return [
            "version": .string(answer.version), "owned": .bool(answer.isOwned), "free_cores": .integer(Int64(answer.freeCores)),
            "nodes": .array(nodes),
        ]
    }
}
