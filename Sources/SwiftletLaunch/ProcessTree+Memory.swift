// SPDX-License-Identifier: BSD-3-Clause
package import Glibc

// How much memory a call uses: that of a process and of all below it.
extension ProcessTree {
    /// Bytes of memory of its own that a process tree holds, each page once; memory that others gave it (segments, files) does
    /// not count. 0 where the process is gone.
    ///
    /// Exact numbers cost the kernel a walk through all page tables: they are asked for only where the cheap ones, which count a
    /// page that two processes share twice, are over the limit.
    package static func memory(of root: pid_t, limit: UInt64) -> UInt64 {
        let tree = self.tree(below: root)
        let quick = tree.reduce(UInt64(0)) { $0 + kilobytes("RssAnon:", in: "/proc/\($1)/status") } * 1024
        guard quick > limit else { return quick }
        let exact = tree.map { (process: pid_t) -> UInt64 in
            let share = kilobytes("Pss_Anon:", in: "/proc/\(process)/smaps_rollup")
            return share > 0 ? share : kilobytes("RssAnon:", in: "/proc/\(process)/status")
        }
        return exact.reduce(0, +) * 1024
    }

    /// The process and everything below it that is alive.
    private static func tree(below root: pid_t) -> [pid_t] {
        var childrenOf: [pid_t: [pid_t]] = [:]
        for (child, parent) in parents() { childrenOf[parent, default: []].append(child) }
        var found = [root]
        var next = 0
        while next < found.count {
            found += childrenOf[found[next]] ?? []
            next += 1
        }
        return found
    }

    private static func kilobytes(_ field: String, in path: String) -> UInt64 {
        for line in (readFile(path) ?? "").split(separator: "\n") where line.hasPrefix(field) {
            let digits = line.dropFirst(field.utf8.count).drop { $0 == " " || $0 == "\t" }.prefix { $0.isNumber }
            return UInt64(digits) ?? 0
        }
        return 0
    }
}
