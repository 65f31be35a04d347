// SPDX-License-Identifier: BSD-3-Clause

/// The place of an element in a `Slab`.
struct Place: Hashable {
    let rawValue: UInt32
    /// No place at all: the end of a list, a task that is gone.
    static let nowhere = Place(rawValue: .max)
    var isSomewhere: Bool { self != .nowhere }
}

/// Elements at fixed places that are given out again after removal.
///
/// It grows by chunks, so a million elements never move and at most one chunk is unused.
struct Slab<Element> {
    private static var chunkBits: UInt32 { 10 }
    private static var chunkSize: Int { 1 << Int(chunkBits) }

    private var chunks: [ContiguousArray<Element>] = []
    private var free: [Place] = []
    private var end: UInt32 = 0

    /// How many places were ever in use at the same time; places below it may be free.
    var highWater: UInt32 { end }

    /// Puts the element at a free place.
    mutating func insert(_ element: Element) -> Place {
        if let place = free.popLast() {
            self[place] = element
            return place
        }
        let place = Place(rawValue: end)
        let chunk = Int(end >> Self.chunkBits)
        if chunk == chunks.count {
            var fresh = ContiguousArray<Element>()
            fresh.reserveCapacity(Self.chunkSize)
            chunks.append(fresh)
        }
        chunks[chunk].append(element)
        end += 1
        return place
    }

    /// Frees the place. What stands there is not cleared; the caller marks it as gone where that matters.
    mutating func remove(_ place: Place) {
        free.append(place)
    }

    subscript(place: Place) -> Element {
        @inline(__always) _read {
            yield chunks[Int(place.rawValue >> Self.chunkBits)][Int(place.rawValue) & (Self.chunkSize - 1)]
        }
        @inline(__always) _modify {
            yield &chunks[Int(place.rawValue >> Self.chunkBits)][Int(place.rawValue) & (Self.chunkSize - 1)]
        }
    }
}
