// SPDX-License-Identifier: BSD-3-Clause
import Glibc

/// How long a file that another node has written may take to be seen.
enum FileVisibility {
    /// File systems of one machine; all others are taken for shared ones, which cache names.
    private static let local: Set<Substring> = [
        "ext2", "ext3", "ext4", "xfs", "btrfs", "zfs", "tmpfs", "overlay", "ramfs", "f2fs",
    ]

    /// Seconds, for an absolute path without links.
    static func seconds(in directory: String) -> Double {
        guard let file = fopen("/proc/self/mounts", "r") else { return 90 }
        defer { fclose(file) }
        var text: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 1 << 14)
        while case let count = fread(&chunk, 1, chunk.count, file), count > 0 { text += chunk[..<count] }
        return seconds(in: directory, mounts: String(decoding: text, as: UTF8.self))
    }

    /// - Parameter mounts: lines of source, directory, kind.
    static func seconds(in directory: String, mounts: String) -> Double {
        var best: (length: Int, kind: Substring)?
        for line in mounts.split(separator: "\n") {
            let words = line.split(separator: " ")
            guard words.count > 2 else { continue }
            let root = words[1] == "/" ? "/" : words[1] + "/"
            // The last one that is mounted at a place hides those before.
            if (directory + "/").hasPrefix(root), root.utf8.count >= best?.length ?? 0 { best = (root.utf8.count, words[2]) }
        }
        return best.map { local.contains($0.kind) ? 2 : 90 } ?? 90
    }
}
