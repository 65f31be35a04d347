// SPDX-License-Identifier: BSD-3-Clause

/// Sets of ids and lists of host names as Flux writes them (RFC 22 and RFC 29), with bounds: what would unfold to more than a
/// million entries is no answer to anything we ask.
public enum RangeList {
    private static let most = 1_000_000

    /// `0-3,7`, with or without brackets; nil where it is no idset.
    public static func ids(_ text: String) -> [Int]? {
        var text = Substring(text)
        if text.hasPrefix("[") {
            guard text.hasSuffix("]") else { return nil }
            text = text.dropFirst().dropLast()
        }
        guard !text.isEmpty else { return [] }
        var ids: [Int] = []
        for part in text.split(separator: ",", omittingEmptySubsequences: false) {
            let ends = part.split(separator: "-", maxSplits: 1, omittingEmptySubsequences: false)
            guard let first = number(ends[0]), let last = ends.count == 2 ? number(ends[1]) : first, first <= last,
                ids.count + (last - first) < most
            else { return nil }
            ids.append(contentsOf: first...last)
        }
        return ids
    }

    /// The shortest form of a set: `0-3,7`.
    public static func text(_ ids: some Sequence<Int>) -> String {
        var parts: [String] = []
        var run: (first: Int, last: Int)?
        func close() {
            if let run { parts.append(run.first == run.last ? "\(run.first)" : "\(run.first)-\(run.last)") }
        }
        for id in ids.sorted() {
            if let open = run, id <= open.last + 1 {
                run = (open.first, max(id, open.last))
            } else {
                close()
                run = (id, id)
            }
        }
        close()
        return parts.joined(separator: ",")
    }

    /// `node[08-11,20]-ib,login` in order; nil where it is no host list.
    public static func hosts(_ text: String) -> [String]? {
        var hosts: [String] = []
        for part in splitOutsideBrackets(text) {
            guard let expanded = expand(part), hosts.count + expanded.count <= most else { return nil }
            hosts.append(contentsOf: expanded)
        }
        return hosts
    }

    private static func number(_ text: Substring) -> Int? {
        guard !text.isEmpty, text.utf8.count <= 9, text.utf8.allSatisfy({ 0x30...0x39 ~= $0 }) else { return nil }
        return Int(text)
    }

    private static func splitOutsideBrackets(_ text: String) -> [Substring] {
        var parts: [Substring] = []
        var depth = 0
        var start = text.startIndex
        for index in text.indices {
            switch text[index] {
            case "[": depth += 1
            case "]": depth -= 1
            case "," where depth == 0:
                parts.append(text[start..<index])
                start = text.index(after: index)
            default: break
            }
        }
        parts.append(text[start...])
        return parts.filter { !$0.isEmpty }
    }

    /// One word, with at most a few bracketed ranges in it: the leftmost is unfolded, then the rest of each.
    private static func expand(_ word: Substring, depth: Int = 0) -> [String]? {
        guard let open = word.firstIndex(of: "[") else { return word.contains("]") ? nil : [String(word)] }
        guard depth < 4, let close = word[open...].firstIndex(of: "]") else { return nil }
        guard let tails = expand(word[word.index(after: close)...], depth: depth + 1) else { return nil }
        let tailWords = tails.isEmpty ? [""] : tails
        var hosts: [String] = []
        for part in word[word.index(after: open)..<close].split(separator: ",", omittingEmptySubsequences: false) {
            let ends = part.split(separator: "-", maxSplits: 1, omittingEmptySubsequences: false)
            guard let first = number(ends[0]), let last = ends.count == 2 ? number(ends[1]) : first, first <= last,
                hosts.count + (last - first + 1) * tailWords.count <= most
            else { return nil }
            let width = ends[0].count
            for id in first...last {
                let digits = String(id)
                let padded = String(repeating: "0", count: max(0, width - digits.count)) + digits
                for tail in tailWords { hosts.append(word[..<open] + padded + tail) }
            }
        }
        return hosts
    }
}
