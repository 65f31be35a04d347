// SPDX-License-Identifier: BSD-3-Clause
import SwiftletModel
import SwiftletTransport

/// The client or a worker, as one end of a conversation: what it has been sent already.
final class Peer {
    /// The number of this connection; the high half of the ids of segments it makes.
    let origin: UInt32
    private(set) var link: Link
    /// Whether descriptors can be sent to it; without, parts in segments are made inline for it.
    var takesSegments: Bool
    /// Blobs it has.
    var blobs: Set<BlobID> = []

    init(origin: UInt32, link: Link) {
        self.origin = origin
        self.link = link
        takesSegments = link.carriesDescriptors
    }

    /// How it is reached is known now: its first link, a plain one, had kept what was sent to it.
    func isReached(by new: Link) {
        link.isContinued(by: new)
        link = new
    }
}
