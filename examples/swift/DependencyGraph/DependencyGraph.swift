// SPDX-License-Identifier: BSD-3-Clause
// A graph of tasks: a table of primes is made in parts, the parts are joined by a tree of tasks, a program counts the lines of
// what the last one wrote. No part is seen by this program; values go from worker to worker.
//
//     swift run DependencyGraph
import Glibc
import Swiftlet

struct Primes: RemoteTask {
    let range: Range<Int>

    func run() async throws -> [Int] {
        range.filter { number in
            number > 1 && !(2..<number).prefix { $0 * $0 <= number }.contains { number.isMultiple(of: $0) }
        }
    }
}

struct Joined: RemoteTask {
    let left: Input<[Int]>
    let right: Input<[Int]>

    func run() async throws -> [Int] { left.value + right.value }
}

struct Written: RemoteTask {
    let numbers: Input<[Int]>
    let path: String

    func run() async throws -> Int {
        guard let file = fopen(path, "w") else { throw NotWritable(path: path) }
        defer { fclose(file) }
        for number in numbers.value { fputs("\(number)\n", file) }
        return numbers.value.count
    }
}

struct NotWritable: Error, Codable { let path: String }

@main struct DependencyGraph: TaskProgram {
    static func body() async throws {
        let path = "/tmp/swiftlet-primes-\(getpid()).txt"
        defer { unlink(path) }
        try await withExecutor(.singleNode(maxCores: 2, mode: .warm)) { executor in
            var level = try (0..<8).map { try executor.submit(Primes(range: 10_000 * $0..<10_000 * ($0 + 1))) }
            while level.count > 1 {
                level = try stride(from: 0, to: level.count, by: 2).map {
                    try executor.submit(Joined(left: Input(level[$0]), right: Input(level[$0 + 1])))
                }
            }
            let written = try executor.submit(Written(numbers: Input(level[0]), path: path))
            let lines = try executor.submit(Command("wc", arguments: ["-l", path]), after: [written])
            print("\(try await written.value) primes")
            print("lines: \(try await lines.value.standardOutput.split(separator: " ")[0])")
        }
    }
}
