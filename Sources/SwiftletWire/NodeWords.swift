// SPDX-License-Identifier: BSD-3-Clause
public import SwiftletModel

// Nodes and slots as words: in CONFIGURE, in SPAWN, and in the environment of whoever runs in a slot.

extension Node {
    /// Reads `name=n1 cores=4 core_ids=0-1,4/2-3 gpus=0,1 memory=1024 up=0`; every field may be missing.
    ///
    /// `core_ids` says that the cores are ours alone: lists of numbers and ranges, one for each NUMA domain.
    public init(_ words: String) throws(WireError) {
        self.init(name: "", coreCount: nil)
        for word in words.split(separator: " ") {
            let (key, value) = (word.prefix { $0 != "=" }, word.drop { $0 != "=" }.dropFirst())
            switch key {
            case "name": name = String(value)
            case "cores": coreCount = try Self.number(value, of: words)
            case "core_ids":
                domains = []
                for domain in value.split(separator: "/") { domains.append(try coreNumbers(domain)) }
                coreCount = domains.reduce(0) { $0 + $1.count }
            case "gpus": gpus = value.split(separator: ",").map(String.init)
            case "memory": memory = UInt64(try Self.number(value, of: words))
            case "up": isUp = value != "0"
            default: throw WireError("a node is described by the unknown word \(word)")
            }
        }
    }

    /// The words that this node is read from.
    public var words: String {
        var words = name.isEmpty ? [] : ["name=\(name)"]
        if !domains.isEmpty {
            words.append("core_ids=" + domains.map { coreList($0) }.joined(separator: "/"))
        } else if let coreCount {
            words.append("cores=\(coreCount)")
        }
        if !gpus.isEmpty { words.append("gpus=" + gpus.joined(separator: ",")) }
        if let memory { words.append("memory=\(memory)") }
        if !isUp { words.append("up=0") }
        return words.joined(separator: " ")
    }

    private static func number(_ text: Substring, of words: String) throws(WireError) -> Int {
        guard let number = Int(text), number >= 0 else { throw WireError("'\(words)' describes no node") }
        return number
    }
}

/// The numbers in a list such as `0-2,7`, as Linux writes sets of cores.
public func coreNumbers(_ list: some StringProtocol) throws(WireError) -> [Int] {
    var numbers: [Int] = []
    for range in list.split(separator: ",") {
        let ends = range.split(separator: "-", maxSplits: 1).map { Int($0) }
        guard let first = ends.first ?? nil, let last = ends.last ?? nil, first >= 0, last >= first, last < 1 << 20 else {
            throw WireError("'\(list)' is no list of cores")
        }
        numbers += first...last
    }
    return numbers
}

/// The list that `coreNumbers` reads; ranges where numbers follow each other.
public func coreList(_ numbers: some Collection<Int>) -> String {
    var ranges: [ClosedRange<Int>] = []
    for number in numbers {
        if let last = ranges.last, last.upperBound + 1 == number {
            ranges[ranges.count - 1] = last.lowerBound...number
        } else {
            ranges.append(number...number)
        }
    }
    return ranges.map { $0.count == 1 ? "\($0.lowerBound)" : "\($0.lowerBound)-\($0.upperBound)" }.joined(separator: ",")
}
