// SPDX-License-Identifier: BSD-3-Clause
import SwiftletModel

/// Bytes that many tasks share, kept while the client may name them or a task does.
struct BlobTable {
    private struct Blob {
        let bytes: [UInt8]
        var users = 0
        var isForgotten = false
    }

    private var blobs: [BlobID: Blob] = [:]

    subscript(_ id: BlobID) -> [UInt8]? { blobs[id]?.bytes }

    mutating func add(_ id: BlobID, _ bytes: [UInt8]) { blobs[id] = Blob(bytes: bytes) }

    /// A task names it.
    mutating func use(_ id: BlobID) { blobs[id]?.users += 1 }

    /// A task that named it is over; true when it is gone with that.
    mutating func disuse(_ id: BlobID) -> Bool {
        guard blobs[id] != nil else { return false }
        blobs[id]!.users -= 1
        return removeIfUnused(id)
    }

    /// The client will not name it again; true when it is gone with that.
    mutating func forget(_ id: BlobID) -> Bool {
        blobs[id]?.isForgotten = true
        return removeIfUnused(id)
    }

    private mutating func removeIfUnused(_ id: BlobID) -> Bool {
        guard let blob = blobs[id], blob.isForgotten, blob.users == 0 else { return false }
        blobs[id] = nil
        return true
    }
}
