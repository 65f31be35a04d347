// SPDX-License-Identifier: BSD-3-Clause
import CSwiftlet
import Glibc
public import SwiftletTransport
import SwiftletWire

/// The process that starts programs for an engine and outlives it just long enough to end what is left:
/// it is a subreaper, so nothing that a task started can escape it, and end of file from the engine is its signal.
public final class GuardianProcess: EventHandler {
    private let loop = EventLoop()
    private let link: SocketLink
    private let childEvents = sl_child_events()
    private var running: [pid_t: UInt32] = [:]
    /// Processes that have ended while something they left behind may still be alive.
    private var ended: [(worker: UInt32, status: Int32, rss: UInt64)] = []
    private var directories: [String] = []
    /// Seconds between SIGTERM and SIGKILL at the end, for processes that have something to end elsewhere.
    private var graces: [pid_t: Int] = [:]
    private var sweepDeadline: UInt64 = 0
    private let forkServer = ProgramForkServer()

    /// Serves the engine at the other end of `descriptor` until it is gone; never returns.
    public static func run(descriptor: Int32) -> Never {
        sl_ignore_terminal_signals()
        _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
        _ = sl_become_subreaper()
        let guardian = GuardianProcess(descriptor: descriptor)
        guardian.loop.run()
        ProcessTree.endChildrenPolitely(guardian.graces)
        for directory in guardian.directories { removeDirectory(directory) }
        exit(ProcessTree.endDescendants().isEmpty ? 0 : 1)
    }

    private static func removeDirectory(_ path: String) {
        guard let directory = opendir(path) else { return }
        while let entry = readdir(directory) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if name != "." && name != ".." { unlink("\(path)/\(name)") }
        }
        closedir(directory)
        rmdir(path)
    }

    private init(descriptor: Int32) {
        link = SocketLink(descriptor: descriptor, loop: loop)
        link.onFrame = { [unowned self] in try received($0, $1) }
        link.onClose = { [unowned self] _ in loop.stop() }
        _ = loop.register(childEvents, for: .read, handler: self)
        link.send(.hello, id: protocolVersion) { bytes in
            var attributes = Attributes()
            attributes[text: "role"] = "guardian"
            attributes[integer: "pid"] = Int(getpid())
            attributes.write(to: &bytes)
        }
    }

    private func received(_ header: FrameHeader, _ body: UnsafeRawBufferPointer) throws {
        switch FrameType(rawValue: header.type) {
        case .hello: break
        case .spawn:
            let descriptors = try link.takeDescriptors(header.flags & SpawnFlag.noSocket != 0 ? 2 : 3)
            defer { descriptors.forEach(closeDescriptor) }
            spawn(UInt32(header.id), try Attributes(body: body), descriptors)
        case .signal:
            var reader = ByteReader(body)
            let signal = Int32(try reader.integer(UInt32.self))
            for (process, worker) in running where worker == UInt32(header.id) {
                // A forked one may not lead its group yet.
                if kill(-process, signal) < 0 { kill(process, signal) }
            }
        case .removeAtEnd: directories.append(String(decoding: body, as: UTF8.self))
        default: throw WireError("a guardian understands no frame of type \(header.type)")
        }
    }

    private func spawn(_ worker: UInt32, _ attributes: Attributes, _ descriptors: [Int32]) {
        let argv = attributes[list: "argv"] ?? []
        let directory = attributes[text: "cwd"]
        let cores = (try? coreNumbers(attributes[text: "cores"] ?? "")) ?? []
        if attributes[integer: "forks"] == 1, descriptors.count == 3,
            let process = forkServer.start(
                argv, environment: attributes[list: "env"] ?? [], directory: directory, socket: descriptors[0],
                output: descriptors[1],
                errors: descriptors[2], cores: cores)
        {
            return started(process, worker)
        }
        let process = SpawnFiles(attributes).open(for: argv.first ?? "", in: directory).flatMap { files in
            defer { files.close() }
            return Spawn.start(
                argv, environment: attributes[list: "env"] ?? [], directory: directory,
                socket: descriptors.count == 3 ? descriptors[0] : nil, output: files.output ?? descriptors[descriptors.count - 2],
                errors: files.errors ?? descriptors[descriptors.count - 1], input: attributes[bytes: "stdin"] ?? [],
                inputFile: files.input, cores: cores,
                parentsEnd: attributes[integer: "grace"] == nil ? SIGKILL : SIGTERM)
        }
        if case .success(let pid) = process, let seconds = attributes[integer: "grace"] { graces[pid] = seconds }
        started(process, worker)
    }

    private func started(_ process: Result<pid_t, SpawnError>, _ worker: UInt32) {
        switch process {
        case .success(let pid):
            running[pid] = worker
            link.send(.forked, id: UInt64(worker)) { $0.append(integer: UInt32(pid)) }
        case .failure(let error):
            link.send(.spawnFailed, id: UInt64(worker)) { $0.append(contentsOf: error.description.utf8) }
        }
    }

    public func ready(_ readiness: Readiness) {
        sl_wakeup_clear(childEvents)
        var status: Int32 = 0
        var rss: UInt64 = 0
        while true {
            let process = sl_reap(&status, &rss)
            guard process > 0 else { break }
            forkServer.ended(process)
            guard let worker = running.removeValue(forKey: process) else { continue }
            graces[process] = nil
            if ended.isEmpty { sweepDeadline = sl_monotonic_ns() + 10_000_000_000 }
            ended.append((worker, status, rss))
        }
        if !ended.isEmpty { sweep() }
    }

    /// Kills what came to this process because the one that started it has ended. The end of each is a child event, which leads here again.
    private func sweep() {
        let leftBehind = ProcessTree.children().subtracting(running.keys).subtracting(forkServer.process.map { [$0] } ?? [])
        for process in leftBehind { kill(process, SIGKILL) }
        guard leftBehind.isEmpty || sl_monotonic_ns() > sweepDeadline else {
            loop.schedule(at: sweepDeadline + 1) { [unowned self] in if !ended.isEmpty { sweep() } }
            return
        }
        for end in ended {
            link.send(.exited, id: UInt64(end.worker)) {
                $0.append(integer: UInt32(bitPattern: end.status))
                $0.append(integer: end.rss)
            }
        }
        ended = []
    }
}
