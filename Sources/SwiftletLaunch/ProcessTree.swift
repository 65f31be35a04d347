// SPDX-License-Identifier: BSD-3-Clause
import CSwiftlet
import Glibc

/// The processes below this one, read from /proc.
package enum ProcessTree {
    /// Direct children of this process, zombies included. The kernel keeps them by the thread that started them.
    static func children() -> Set<pid_t> {
        var found: Set<pid_t> = []
        for thread in numbers(in: "/proc/self/task") {
            guard let text = readFile("/proc/self/task/\(thread)/children") else {
                // The thread has ended, or the kernel was built without these files.
                if access("/proc/self/task/\(getpid())/children", R_OK) == 0 { continue }
                return Set(parents().filter { $0.value == getpid() }.keys)
            }
            found.formUnion(text.split(separator: " ").compactMap { pid_t($0) })
        }
        return found
    }

    /// Everything below this process that is alive.
    static func descendants() -> Set<pid_t> {
        var childrenOf: [pid_t: [pid_t]] = [:]
        for (child, parent) in parents() { childrenOf[parent, default: []].append(child) }
        var found: Set<pid_t> = []
        var open = [getpid()]
        while let parent = open.popLast() {
            for child in childrenOf[parent] ?? [] where found.insert(child).inserted { open.append(child) }
        }
        return found
    }

    /// Ends the children of this process: those named by SIGTERM, waiting so many seconds for them, the others by SIGKILL at once.
    static func endChildrenPolitely(_ graces: [pid_t: Int]) {
        guard let longest = graces.values.max() else { return }
        for process in children() { kill(process, graces[process] == nil ? SIGKILL : SIGTERM) }
        let deadline = sl_monotonic_ns() + UInt64(longest) * 1_000_000_000
        while sl_monotonic_ns() < deadline {
            reapAll()
            if children().isDisjoint(with: graces.keys) { return }
            usleep(1000)  // as below
        }
    }

    /// Waits until this child has ended, at most so long.
    static func waitForEnd(of child: pid_t, seconds: UInt64) {
        let deadline = sl_monotonic_ns() + seconds * 1_000_000_000
        while sl_monotonic_ns() < deadline {
            reapAll()
            guard children().contains(child) else { return }
            usleep(1000)  // as below
        }
    }

    /// Sends SIGKILL to everything below this process until nothing is left, at most for ten seconds; what is left then.
    static func endDescendants() -> Set<pid_t> {
        let deadline = sl_monotonic_ns() + 10_000_000_000
        while true {
            let alive = descendants()
            for process in alive { kill(process, SIGKILL) }
            reapAll()
            if alive.isEmpty || sl_monotonic_ns() > deadline { return alive }
            if !alive.isEmpty { usleep(1000) }  // the kernel ends them in its own time; this process has nothing else left to do
        }
    }

    private static func reapAll() {
        var status: Int32 = 0
        var rss: UInt64 = 0
        while sl_reap(&status, &rss) > 0 {}
    }

    /// Parent of each process that is not a zombie.
    static func parents() -> [pid_t: pid_t] {
        var result: [pid_t: pid_t] = [:]
        for process in numbers(in: "/proc") {
            guard let stat = readFile("/proc/\(process)/stat"),
                // The name in parentheses may hold anything; what follows the last one is "state parent …".
                let tail = stat.lastIndex(of: ")")
            else { continue }
            let fields = stat[tail...].dropFirst(2).split(separator: " ", maxSplits: 2)
            guard fields.count > 1, fields[0] != "Z", let parent = pid_t(fields[1]) else { continue }
            result[process] = parent
        }
        return result
    }

    private static func numbers(in path: String) -> [pid_t] {
        guard let directory = opendir(path) else { return [] }
        defer { closedir(directory) }
        var found: [pid_t] = []
        while let entry = readdir(directory) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if let number = pid_t(name) { found.append(number) }
        }
        return found
    }

    static func readFile(_ path: String) -> String? {
        let file = open(path, O_RDONLY | O_CLOEXEC)
        guard file >= 0 else { return nil }
        defer { close(file) }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 4096)
        while true {
            let count = read(file, &chunk, chunk.count)
            guard count > 0 else { return count == 0 ? String(decoding: bytes, as: UTF8.self) : nil }
            bytes.append(contentsOf: chunk.prefix(count))
        }
    }
}
