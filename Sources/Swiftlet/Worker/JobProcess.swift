// SPDX-License-Identifier: BSD-3-Clause
import CSwiftlet
import Glibc
import SwiftletEngine
import SwiftletLaunch
import SwiftletModel
import SwiftletStore

/// What the program does as a batch job: reads the task of an entry, has a worker below it run it, and writes the outcome, also when that
/// worker dies. Its arguments: the build, the cache directory, the key (or `--element INDEX`, with the keys on the standard
/// input; or `--shared`, the key, and others, whose tasks have jobs of their own).
struct JobProcess {
    /// Exit statuses of a job that has written no outcome.
    private enum Failure {
        static let noTask: Int32 = 3
        static let notWritten: Int32 = 4
    }

    private let build: String
    private let place: EntryPlace
    private let store = Store(isDurable: true)

    static func run(_ arguments: [String]) async -> Never {
        guard let job = JobProcess(arguments) else {
            say("a job is started by an executor, which names an entry")
            exit(2)
        }
        exit(await job.run())
    }

    private init?(_ arguments: [String]) {
        guard arguments.count >= 3 else { return nil }
        build = arguments[0]
        var key: String? = arguments[2]
        if key == "--element" {
            var keys: [String] = []
            while let line = readLine() { keys.append(line) }
            key = arguments.dropFirst(3).first.flatMap { Int($0) }.flatMap { keys.indices.contains($0) ? keys[$0] : nil }
        }
        if key == "--shared" { key = arguments.dropFirst(3).first }
        guard let key else { return nil }
        place = EntryPlace(directory: arguments[1], key: key)
    }

    private static func say(_ text: String) {
        let line = "swiftlet: \(text)\n"
        _ = write(2, line, line.utf8.count)
    }

    private func run() async -> Int32 {
        if case .found(let entry) = store.read(.outcome, at: place), entry.header.kind == .value {
            store.tidy(place)  // an earlier run of a job that was put back into the queue
            return 0
        }
        guard let task = await entryInTime(.task, place) else { return Failure.noTask }
        let start = Double(sl_unix_ns()) / 1e9
        var end = JobCall.End(answer: nil, status: .exited(status: 0), process: 0, isLate: false, errors: [])
        do {
            end = try await call(task)
        } catch {
            end.answer = .error((try? TaskCoding.encode(ErrorReport(error))) ?? [])
        }
        return writeOutcome(task, end, start: start)
    }

    private func call(_ task: StoredEntry) async throws -> JobCall.End {
        var inputs: [[UInt8]] = []
        for name in task.header.inputs ?? [] {
            let slash = name.hasPrefix("/") ? name.lastIndex(of: "/") : nil
            let source =
                slash.map { EntryPlace(directory: String(name[..<$0]), key: String(name[name.index(after: $0)...])) }
                ?? EntryPlace(directory: place.directory, key: name)
            guard let entry = await entryInTime(.outcome, source), entry.header.kind == .value else {
                throw TaskError(.inputFailed, "the value of an input, \(source), cannot be read on this node")
            }
            inputs.append(entry.parts(named: "value").first.map { Array($0) } ?? [])
        }
        func part(_ name: String) -> [UInt8] { task.parts(named: name).first.map { Array($0) } ?? [] }
        let resources = task.header.resources ?? [:]
        func number(_ name: String) -> Int? { if case .integer(let number)? = resources[name] { number } else { nil } }
        let ranks = number("ranks") ?? 1
        var limit: Double?
        switch resources["time_limit"] {
        case .number(let seconds)?: limit = seconds
        case .integer(let seconds)?: limit = Double(seconds)
        default: break
        }
        let slot = TaskSlot.json(cores: number("threads_per_core") ?? ranks, ranks: ranks, memory: number("memory") ?? 0)
        let call = try await JobCall(arguments: ["/proc/self/exe", ProcessRole.worker, build], ranks: ranks, slot: slot)
        return await call.run(
            type: part("function"), directory: part("context"), arguments: part("arguments"), inputs: inputs, limit: limit)
    }

    /// Network file systems take a while to show a new file on another node.
    private func entryInTime(_ role: EntryRole, _ place: EntryPlace) async -> StoredEntry? {
        var pause = 0.05
        let deadline = sl_monotonic_ns() + UInt64(FileVisibility.seconds(in: place.directory) * 1e9)
        while true {
            switch store.read(role, at: place) {
            case .found(let entry): return entry
            case .absent where sl_monotonic_ns() < deadline:
                try? await Task.sleep(for: .seconds(pause))
                pause = min(2 * pause, 2)
                continue
            case .absent:
                Self.say("there is no \(place)\(role.suffix): it was taken back, or this node does not see the directory")
            case .foreign(let path, let owner): Self.say("\(path) belongs to user \(owner), who is not trusted")
            case .faulty(let path, let fault): Self.say("\(path) \(fault)")
            case .failed(let error): Self.say("\(error)")
            }
            return nil
        }
    }

    private func writeOutcome(_ task: StoredEntry, _ end: JobCall.End, start: Double) -> Int32 {
        var header = task.header
        var result: (name: String, bytes: [UInt8])?
        switch end.answer {
        case .value(let bytes)?: (header.kind, result) = (.value, ("value", bytes))
        case .error(let bytes)?: (header.kind, result) = (.error, ("error", bytes))
        case nil where end.isLate: (header.kind, header.reason) = (.timeLimit, "the task ran longer than its limit")
        case nil:
            (header.kind, header.reason) = (.lost, end.status.description)
        }
        header.provenance = JobProvenance.ofCall(
            process: end.process, start: start, end: Double(sl_unix_ns()) / 1e9, status: end.status, errors: end.errors)
        var parts = task.header.parts.enumerated().filter { $0.element.name != "context" }
            .map { ($0.element.name, Array(task.part($0.offset))) }
        if let result { parts.append(result) }
        header.parts = parts.map { .init(name: $0.0, length: $0.1.count) }
        do {
            try store.writeOutcome(header, parts: parts.map(\.1), at: place)
        } catch {
            Self.say("\(error)")
            return Failure.notWritten
        }
        store.tidy(place)
        return 0
    }
}
