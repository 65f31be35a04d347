// SPDX-License-Identifier: BSD-3-Clause

/// Bytes that many tasks share, kept while the client may name them or a task does.
struct BlobTable {
    private struct Blob {
        let bytes: [UInt8]
        var users = 0
        var isForgotten = false
    }

    private var blobs: [UInt64: Blob] = [:]

    subscript(_ id: UInt64) -> [UInt8]? { blobs[id]?.bytes }

    mutating func add(_ id: UInt64, _ bytes: [UInt8]) { blobs[id] = Blob(bytes: bytes) }

    /// A task names it.
    mutating func use(_ id: UInt64) { blobs[id]?.users += 1 }

    /// A task that named it is over; true when it is gone with that.
    mutating func disuse(_ id: UInt64) -> Bool {
        guard blobs[id] != nil else { return false }
        blobs[id]!.users -= 1
        return removeIfUnused(id)
    }

    /// The client will not name it again; true when it is gone with that.
    mutating func forget(_ id: UInt64) -> Bool {
        blobs[id]?.isForgotten = true
        return removeIfUnused(id)
    }

    private mutating func removeIfUnused(_ id: UInt64) -> Bool {
        guard let blob = blobs[id], blob.isForgotten, blob.users == 0 else { return false }
        blobs[id] = nil
        return true
    }
}
