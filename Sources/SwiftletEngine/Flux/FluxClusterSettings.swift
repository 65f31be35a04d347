// SPDX-License-Identifier: BSD-3-Clause
import SwiftletWire

/// What CONFIGURE says of the instance that runs jobs.
struct FluxClusterSettings: Sendable {
    /// The instance's local URI; nil: the machine's own.
    var uri: String?
    /// Jobs are submitted by the client, which can have them signed.
    var submitsThroughClient: Bool
    /// How MPI ranks find each other; nil: Flux's default.
    var pmi: String?

    init(_ attributes: Attributes) {
        uri = attributes[text: "flux_uri"]
        submitsThroughClient = attributes[integer: "flux_submit"] == 1
        pmi = attributes[text: "flux_pmi"]
    }
}

/// A call's priority as Flux's urgency.
enum FluxUrgency {
    /// 16 is usual, 1 to 31 can be reached (16 by guests of an instance).
    static func of(priority: Int, isOwned: Bool) -> Int { min(max(16 + min(max(priority, -15), 15), 1), isOwned ? 31 : 16) }
}
