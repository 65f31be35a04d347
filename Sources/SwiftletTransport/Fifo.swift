// SPDX-License-Identifier: BSD-3-Clause

/// First in, first out, in amortised constant time.
public struct Fifo<Element> {
    private var elements: [Element?] = []
    /// What stands before it has been taken.
    private var first = 0

    public init() {}

    public var isEmpty: Bool { first == elements.count }

    public mutating func append(_ element: Element) { elements.append(element) }

    /// Takes the oldest one; nil where there is none.
    public mutating func next() -> Element? {
        guard first < elements.count else { return nil }
        let element = elements[first].take()
        first += 1
        if first == elements.count {
            elements.removeAll(keepingCapacity: elements.capacity <= 1024)
            first = 0
        } else if first >= 64, first * 2 >= elements.count {
            elements.removeFirst(first)
            first = 0
        }
        return element
    }

    /// Takes out the oldest one for which `condition` holds; whether there was one.
    public mutating func remove(where condition: (Element) -> Bool) -> Bool {
        guard let index = elements[first...].firstIndex(where: { $0.map(condition) ?? false }) else { return false }
        elements.remove(at: index)
        return true
    }
}
