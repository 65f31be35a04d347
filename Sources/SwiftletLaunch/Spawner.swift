// SPDX-License-Identifier: BSD-3-Clause
import CSwiftlet
import Glibc
public import SwiftletModel
public import SwiftletTransport
public import SwiftletWire

/// The engine's side of a process that starts others: the guardian (programs) or a fork server (forks of itself).
public final class Spawner {
    /// The process exists.
    public var onForked: (WorkerID, Int32) -> Void = { _, _ in }
    /// The process and all it left behind are gone, or it could not be started.
    public var onEnded: (WorkerID, ProcessEnd) -> Void = { _, _ in }
    /// The spawner itself is gone.
    public var onClose: (String?) -> Void = { _ in }

    /// What the other end says of itself.
    public var onHello: (Attributes) throws -> Void = { _ in }
    /// A frame that is none of a spawner's: an agent says more.
    public var onOther: (FrameHeader, UnsafeRawBufferPointer) throws -> Void = { header, _ in
        throw WireError("unexpected frame of type \(header.type) from a spawner")
    }
    /// Anything came.
    public var onHeard: () -> Void = {}

    private let link: Link

    public convenience init(descriptor: Int32, loop: EventLoop) {
        self.init(link: SocketLink(descriptor: descriptor, loop: loop))
    }

    /// Takes over a link to a process that starts others.
    public init(link: Link) {
        self.link = link
        link.onFrame = { [unowned self] in try received($0, $1) }
        link.onClose = { [unowned self] in onClose($0) }
        link.send(.hello, id: protocolVersion) { bytes in
            var attributes = Attributes()
            attributes[text: "role"] = "engine"
            attributes.write(to: &bytes)
        }
    }

    /// Starts a guardian: `program` with `arguments`. Its messages go where ours go.
    /// - Throws: `SystemError` where no process can be made.
    public static func startGuardian(
        program: String, arguments: [String], loop: EventLoop
    ) throws -> (spawner: Spawner, process: Int32) {
        let (ours, theirs) = try makeSocketPair()
        defer { closeDescriptor(theirs) }
        let process = Spawn.startGuardian(program: program, arguments: arguments, socket: theirs)
        guard process > 0 else {
            closeDescriptor(ours)
            throw SystemError(doing: "start the guardian process")
        }
        return (Spawner(descriptor: ours, loop: loop), process)
    }

    /// Starts a process with its socket (if it gets one) and its two outputs; these descriptors are closed here when they have left.
    /// - Parameters:
    ///   - variables: set on top of the environment, in a process that is forked and not executed.
    ///   - cores: the list of those it may run on; empty: all that the spawner has.
    ///   - input: what it reads from its standard input, at most 64 KiB: a ticket. Empty: nothing.
    ///   - files: what it reads and writes instead.
    ///   - forks: more like it will follow: it may be forked from a copy of the program that was loaded for that.
    ///   - origin: what HELLO will tell a forked worker, said before; 0: it is to read that.
    public func spawn(
        _ worker: WorkerID, arguments: [String] = [], environment: [String] = [], directory: String? = nil,
        variables: [String] = [], cores: String = "", input: [UInt8] = [], files: SpawnFiles = SpawnFiles(),
        grace: Int = 0, forks: Bool = false, origin: UInt32 = 0,
        socket: Int32?, output: Int32, errors: Int32
    ) {
        var attributes = Attributes()
        if !arguments.isEmpty { attributes[list: "argv"] = arguments }
        if !environment.isEmpty { attributes[list: "env"] = environment }
        attributes[text: "cwd"] = directory
        if !variables.isEmpty { attributes[list: "variables"] = variables }
        if !cores.isEmpty { attributes[text: "cores"] = cores }
        if !input.isEmpty { attributes[bytes: "stdin"] = input }
        if grace > 0 { attributes[integer: "grace"] = grace }
        if forks { attributes[integer: "forks"] = 1 }
        if origin > 0 { attributes[integer: "origin"] = Int(origin) }
        files.add(to: &attributes)
        spawn(worker, attributes, socket: socket, output: output, errors: errors)
    }

    /// The same with the attributes of the frame.
    /// - Parameter isNear: this is an agent on this host, which else relays the streams of what it starts.
    public func spawn(
        _ worker: WorkerID, _ attributes: Attributes, isNear: Bool = false, socket: Int32?, output: Int32, errors: Int32
    ) {
        link.send(
            .spawn, id: UInt64(worker.rawValue), flags: (socket == nil ? SpawnFlag.noSocket : 0) | (isNear ? SpawnFlag.near : 0),
            descriptors: [socket, output, errors].compactMap(\.self)
        ) { attributes.write(to: &$0) }
    }

    /// Has an agent start a process on its node; its streams are relayed.
    public func spawn(_ worker: WorkerID, _ attributes: Attributes, isConnected: Bool = true) {
        link.send(.spawn, id: UInt64(worker.rawValue), flags: isConnected ? 0 : SpawnFlag.noSocket) { attributes.write(to: &$0) }
    }

    /// Has a fork server take on the context of calls to come, so that its children find it done; they have this blob.
    public func prepare(_ context: BlobID, _ bytes: [UInt8]) {
        link.send(.blob, id: context.rawValue) { $0.append(contentsOf: bytes) }
    }

    /// Sends a signal to the process group of a process it started.
    public func signal(_ worker: WorkerID, _ signal: Int32) {
        link.send(.signal, id: UInt64(worker.rawValue)) { $0.append(integer: UInt32(signal)) }
    }

    /// Has a directory removed, with the files directly in it, when the guardian ends.
    public func removeAtEnd(_ directory: String) {
        link.send(.removeAtEnd, id: 0) { $0.append(contentsOf: directory.utf8) }
    }

    /// Lets it go; it ends everything that is left.
    public func close() { link.close() }

    private func received(_ header: FrameHeader, _ body: UnsafeRawBufferPointer) throws {
        onHeard()
        var reader = ByteReader(body)
        let worker = WorkerID(UInt32(truncatingIfNeeded: header.id))
        switch FrameType(rawValue: header.type) {
        case .hello:
            guard header.id == protocolVersion else {
                throw WireError("it speaks version \(header.id) of the protocol, this engine version \(protocolVersion)")
            }
            try onHello(Attributes(&reader))
        case .forked: onForked(worker, pid_t(try reader.integer(UInt32.self)))
        case .spawnFailed: onEnded(worker, .failed(try reader.text(UInt64(reader.remaining))))
        case .exited: onEnded(worker, ProcessEnd(waitStatus: Int32(bitPattern: try reader.integer(UInt32.self))))
        default: try onOther(header, body)
        }
    }
}

/// The variable that marks a process as started to be a guardian. A program that does not see its arguments (a script drops them) is known
/// by it; a guardian passes it on to nobody.
public let guardianMark = "SWIFTLET_GUARDIAN"

/// Waits for the end of a guardian that has been let go, which ends everything below it; one that does not end itself is ended.
public func waitForEnd(ofGuardian process: Int32) {
    let deadline = sl_monotonic_ns() + 30_000_000_000
    var pause: UInt32 = 100
    while waitpid(process, nil, WNOHANG) == 0 {
        if sl_monotonic_ns() > deadline {
            kill(-process, SIGKILL)
            return
        }
        usleep(pause)  // the kernel ends them in its own time
        pause = min(2 * pause, 5000)
    }
}

/// Flags of frame SPAWN.
enum SpawnFlag {
    /// The process gets no socket, and the frame has two descriptors.
    static let noSocket: UInt8 = 1
    /// To an agent: its three descriptors come along, nothing is relayed.
    static let near: UInt8 = 2
}

extension Spawn {
    /// The guardian is tied to nothing: end of file tells it that the engine is gone.
    static func startGuardian(program: String, arguments: [String], socket: Int32) -> pid_t {
        var argv: [UnsafeMutablePointer<CChar>?] = arguments.map { strdup($0) } + [nil]
        var envp: [UnsafeMutablePointer<CChar>?] = [strdup("\(guardianMark)=1")]
        var inherited = sl_environment()!
        while let variable = inherited.pointee {
            envp.append(strdup(variable))
            inherited += 1
        }
        envp.append(nil)
        defer { (argv + envp).forEach { free($0) } }
        return argv.withUnsafeMutableBufferPointer { argv in
            envp.withUnsafeMutableBufferPointer { envp in
                program.withCString { path in
                    var request = sl_spawn_request(
                        path: path, argv: argv.baseAddress, envp: envp.baseAddress, cwd: nil, socket: socket, out: 2, error: 2,
                        in: -1,
                        signal_at_parents_end: 0, cores: nil, core_count: 0)
                    return sl_spawn(&request)
                }
            }
        }
    }
}

/// Ends every process below this one; what could not be ended within ten seconds.
/// - Parameter guardian: a child that has been let go: it ends what is below it, some of it politely, and is given time for that.
public func endAllDescendants(guardian: Int32? = nil) -> Set<Int32> {
    if let guardian { ProcessTree.waitForEnd(of: guardian, seconds: 14) }
    return ProcessTree.endDescendants()
}
