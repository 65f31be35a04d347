// SPDX-License-Identifier: BSD-3-Clause
import FoundationEssentials
import Glibc

/// Who works on an entry: what a claim's file says.
public struct Claim: Codable, Hashable, Sendable {
    /// A job that will write the outcome.
    public struct Job: Codable, Hashable, Sendable {
        /// The system that has it: `slurm`, `flux`.
        public var system: String
        public var id: UInt64
        /// Its place in a job array.
        public var index: Int?

        public init(system: String, id: UInt64, index: Int? = nil) {
            self.system = system
            self.id = id
            self.index = index
        }
    }

    public var host: String
    /// Tells two runs of one host apart, and process ids of different containers.
    public var boot: String
    public var pid: Int32
    /// When the process started, in the kernel's ticks: process ids are used again.
    public var start: UInt64
    public var job: Job?
    /// The entry waits for anybody who queues it: its client has left, or the system took no more jobs.
    public var isNotQueued: Bool?

    public init(host: String, boot: String, pid: Int32, start: UInt64, job: Job? = nil, isNotQueued: Bool? = nil) {
        self.host = host
        self.boot = boot
        self.pid = pid
        self.start = start
        self.job = job
        self.isNotQueued = isNotQueued
    }

    /// Who made it, for humans.
    public var holder: String {
        let place = "process \(pid) on \(host)"
        guard let job else { return place }
        return "\(place), job \(job.id)\(job.index.map { "_\($0)" } ?? "") of \(job.system)"
    }

    /// A claim of this process.
    public static func ofThisProcess() -> Claim {
        var name = [CChar](repeating: 0, count: 256)
        gethostname(&name, name.count - 1)
        let host = String(decoding: name.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
        return Claim(host: host, boot: Self.boot(), pid: getpid(), start: startTime(of: getpid()) ?? 0)
    }

    /// Whether the process that made it is known to live (true) or to be gone (false); nil where only its host could tell.
    var isAliveHere: Bool? {
        guard boot == Self.boot() else { return nil }
        return Self.startTime(of: pid) == start
    }

    package var json: [UInt8] { (try? JSONEncoder().encode(self)).map { Array($0) } ?? [] }

    init?(json: [UInt8]) {
        guard let claim = try? JSONDecoder().decode(Claim.self, from: Data(json)) else { return nil }
        self = claim
    }

    private static func boot() -> String {
        let identity = text(of: "/proc/sys/kernel/random/boot_id").map { $0.filter { !$0.isWhitespace } } ?? ""
        var space = [CChar](repeating: 0, count: 64)
        let length = readlink("/proc/self/ns/pid", &space, space.count - 1)
        let name = String(decoding: space.prefix(max(0, length)).map { UInt8(bitPattern: $0) }, as: UTF8.self)
        return "\(identity) \(name)"
    }

    /// Field 22 of /proc/PID/stat; nil where there is no such process, or it is a zombie.
    static func startTime(of pid: Int32) -> UInt64? {
        guard let stat = text(of: "/proc/\(pid)/stat"), let end = stat.lastIndex(of: ")") else { return nil }
        let fields = stat[stat.index(after: end)...].split(separator: " ")
        guard fields.count > 19, fields[0] != "Z", fields[0] != "X" else { return nil }
        return UInt64(fields[19])
    }

    private static func text(of path: String) -> String? {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var buffer = [UInt8](repeating: 0, count: 4096)
        let count = read(descriptor, &buffer, buffer.count)
        return count > 0 ? String(decoding: buffer.prefix(count), as: UTF8.self) : nil
    }
}
