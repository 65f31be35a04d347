// SPDX-License-Identifier: BSD-3-Clause
import SwiftletWire

/// How an executor uses an instance of Flux: the attributes of CONFIGURE that begin with `flux_`.
struct FluxSettings: Sendable {
    /// The instance's local URI; nil: the machine's own.
    var uri: String?
    /// The command of an agent, whose program the nodes see at this path.
    var agent: [String]
    /// A directory of mode 0700 that all nodes see, for files with tickets.
    var directory: String
    /// How MPI ranks find each other; nil: Flux's default.
    var pmi: String?
    /// Each call (or warm worker) gets an instance of its own, as large as its slot.
    var nests: Bool
    /// Each call (or warm worker) is a job of its own, although an agent could run it.
    var ownJobs: Bool
    /// Where each worker's output goes as files; nil: to the client.
    var logDirectory: String?
    /// Jobs are submitted by the client (which has its user's object for it, or asks the `flux` command for a signature).
    var submitsThroughClient: Bool

    /// Nil where CONFIGURE does not name Flux.
    init?(_ attributes: Attributes) throws(WireError) {
        guard attributes[text: "nodes_by"] == "flux" else { return nil }
        guard let agent = attributes[list: "agent"] ?? attributes[text: "engine"].map({ [$0, "agent"] }), !agent.isEmpty,
            let directory = attributes[text: "flux_directory"]
        else { throw WireError("CONFIGURE does not say where the engine's program is, or where tickets are kept") }
        self.agent = agent
        self.directory = directory
        uri = attributes[text: "flux_uri"]
        pmi = attributes[text: "flux_pmi"]
        nests = attributes[integer: "flux_nesting"] == 1
        ownJobs = attributes[integer: "flux_own_jobs"] == 1
        logDirectory = attributes[text: "flux_logs"]
        submitsThroughClient = attributes[integer: "flux_submit"] == 1
    }
}
