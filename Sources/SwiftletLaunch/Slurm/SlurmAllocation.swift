// SPDX-License-Identifier: BSD-3-Clause

/// What Slurm granted the job that a program runs in, read from the line of `scontrol show job -o -d`.
public struct SlurmAllocation: Hashable, Sendable {
    /// The job's share of nodes that are alike.
    public struct Share: Hashable, Sendable {
        /// Names as Slurm abbreviates them, `n[1-2]`.
        public let names: String
        public let cores: Int
        /// The numbers of its GPUs.
        public let gpus: [String]
        /// Bytes; nil where Slurm does not count memory.
        public let memory: Int?

        /// As CONFIGURE describes one of its nodes, which is not up yet.
        public func words(node: String) -> String {
            var words = ["name=\(node)", "cores=\(cores)"]
            if !gpus.isEmpty { words.append("gpus=" + gpus.joined(separator: ",")) }
            if let memory { words.append("memory=\(memory)") }
            return (words + ["up=0"]).joined(separator: " ")
        }
    }

    public let job: String
    public let shares: [Share]
    /// When its time is over, in Slurm's words (local time); nil where it is not limited.
    public let end: String?

    /// Why a line describes no allocation.
    public struct Fault: Error, Hashable, CustomStringConvertible {
        public let description: String
        public init(description: String) { self.description = description }
    }

    public init(job: String, line: String) throws(Fault) {
        self.job = job
        let words = line.split { $0 == " " || $0 == "\n" }
        let state = Self.value(of: "JobState", in: words)
        guard state == "RUNNING" else { throw Fault(description: "its state is \(state ?? "not known")") }
        end = Self.value(of: "EndTime", in: words).flatMap { $0 == "Unknown" ? nil : $0 }
        var shares: [Share] = []
        for (index, word) in words.enumerated() where word.hasPrefix("Nodes=") {
            let rest = words[(index + 1)...].prefix(3)
            guard let cores = Self.value(of: "CPU_IDs", in: rest).map({ Self.numbers($0[...]).count }), cores > 0 else {
                continue
            }
            let memory = Self.value(of: "Mem", in: rest).flatMap { Self.bytes($0) } ?? 0
            shares.append(
                Share(
                    names: String(word.dropFirst(6)), cores: cores, gpus: Self.gpus(Self.value(of: "GRES", in: rest) ?? ""),
                    memory: memory > 0 ? memory : nil))
        }
        guard !shares.isEmpty else { throw Fault(description: "Slurm does not say which nodes it has") }
        self.shares = shares
    }

    private static func value(of key: String, in words: some Sequence<Substring>) -> String? {
        for word in words where word.hasPrefix(key + "=") { return String(word.dropFirst(key.utf8.count + 1)) }
        return nil
    }

    /// `0-2,7` as numbers.
    static func numbers(_ text: Substring) -> [Int] {
        text.split(separator: ",").flatMap { part -> [Int] in
            let ends = part.split(separator: "-").compactMap { Int($0) }
            guard let first = ends.first, let last = ends.last, first <= last else { return [] }
            return Array(first...last)
        }
    }

    /// `4096`, `4G`: mebibytes where no unit is named.
    static func bytes(_ text: String) -> Int? {
        let units: [Character: Double] = ["K": 1024, "M": 1_048_576, "G": 1_073_741_824, "T": 1_099_511_627_776]
        let unit = text.last.flatMap { units[$0] }
        guard let number = Double(unit == nil ? text : String(text.dropLast())) else { return nil }
        return Int(number * (unit ?? 1_048_576))
    }

    /// `gpu:a100:2(IDX:0-1),other:1` as the numbers of the GPUs.
    static func gpus(_ text: String) -> [String] {
        guard let start = text[...].firstWord(of: "gpu") else { return [] }
        let entry = text[start...]
        let head = entry.prefix { $0 != "(" && $0 != "," }
        let count = head.split(separator: ":").last.flatMap { Int($0) } ?? 0
        let behind = entry[head.endIndex...]
        guard behind.hasPrefix("(IDX:") else { return (0..<count).map { "\($0)" } }
        return numbers(behind.dropFirst(5).prefix { $0 != ")" }).map { "\($0)" }
    }
}

extension Substring {
    /// Where a word begins that is followed by a colon, at the start or behind a comma.
    fileprivate func firstWord(of word: String) -> Index? {
        var index = startIndex
        while index < endIndex {
            let isStart = index == startIndex || self[self.index(before: index)] == ","
            if isStart, self[index...].hasPrefix(word + ":") { return index }
            index = self.index(after: index)
        }
        return nil
    }
}
