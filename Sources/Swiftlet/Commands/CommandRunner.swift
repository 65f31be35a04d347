// SPDX-License-Identifier: BSD-3-Clause
import CSwiftlet
import Glibc
import SwiftletModel
import SwiftletTransport

/// Runs an external program below a worker: where the engine does not start it itself.
enum CommandRunner {
    /// Returns when the program has ended. It ends with the worker, at the latest.
    /// - Parameter size: how many bytes of each output are kept, the last ones.
    static func run(_ command: Command, keeping size: Int = 1 << 16) async throws(TaskError) -> CommandResult {
        try command.validate()
        // A thread that waits for it: a program gets SIGKILL when the thread that started it ends.
        let result: Result<CommandResult, TaskError> = await withCheckedContinuation { continuation in
            startThread {
                continuation.resume(returning: Result { () throws(TaskError) in try execute(command, keeping: size) })
            }
        }
        return try result.get()
    }

    private static func execute(_ command: Command, keeping size: Int) throws(TaskError) -> CommandResult {
        let files = try Files(command)
        defer { files.close() }
        let begun = sl_monotonic_ns()
        let process = try start(command, files)
        files.closeForeign()
        let ended = sl_wakeup_create()
        defer { close(ended) }
        // One thread waits for the end, this one reads meanwhile.
        let status = Status()
        startThread {
            var value: Int32 = 0
            while waitpid(process, &value, 0) < 0 && errno == EINTR {}
            status.value = value
            sl_wakeup_signal(ended)
        }
        var output = Tail(files.outputRead, size)
        var errors = Tail(files.errorRead, size)
        while true {
            var waits = [output.wait, errors.wait, pollfd(fd: ended, events: Int16(POLLIN), revents: 0)]
            if poll(&waits, 3, -1) < 0 { continue }
            if waits[0].revents != 0 { output.read() }
            if waits[1].revents != 0 { errors.read() }
            if waits[2].revents != 0 { break }
        }
        while output.read() {}
        while errors.read() {}
        var (exitStatus, signal): (Int32?, Int32?)
        switch ProcessEnd(waitStatus: status.value) {
        case .exited(let value): exitStatus = value
        case .signalled(let value): signal = value
        case .memoryLimit, .taken, .failed: break
        }
        return CommandResult(
            exitStatus: exitStatus, signal: signal, output: output.bytes, errors: errors.bytes, outputCount: output.count,
            errorCount: errors.count,
            nanoseconds: Int(clamping: sl_monotonic_ns() - begun))
    }

    /// Written by the thread that waits before it signals, read after that.
    private final class Status: @unchecked Sendable {
        // Not checked: the wake-up between the one writing and the one reading orders them.
        var value: Int32 = 0
    }

    /// The descriptors of a program that is started; -1: none.
    struct Descriptors {
        var input: Int32
        var output: Int32
        var errors: Int32
        var socket: Int32 = -1
    }

    private static func start(_ command: Command, _ files: Files) throws(TaskError) -> pid_t {
        var variables = environmentVariables().filter { variable in
            !command.environment.keys.contains(String(variable.prefix { $0 != "=" }))
        }
        variables += command.environment.map { "\($0.key)=\($0.value)" }
        return try start(
            [command.program] + command.arguments, environment: variables, directory: command.workingDirectory,
            Descriptors(input: files.input, output: files.output, errors: files.errors))
    }

    /// Starts a program that gets SIGKILL when the calling thread ends.
    static func start(
        _ arguments: [String], environment: [String], directory: String?, _ descriptors: Descriptors
    ) throws(TaskError) -> pid_t {
        guard let path = locate(arguments[0], environment) else {
            throw TaskError(.refused, "cannot start \(arguments[0]): not found in PATH")
        }
        var argv: [UnsafeMutablePointer<CChar>?] = arguments.map { strdup($0) } + [nil]
        var envp: [UnsafeMutablePointer<CChar>?] = environment.map { strdup($0) } + [nil]
        let cwd = directory.flatMap { strdup($0) }
        defer { (argv + envp + [cwd]).forEach { free($0) } }
        let process = path.withCString { path in
            argv.withUnsafeMutableBufferPointer { argv in
                envp.withUnsafeMutableBufferPointer { envp in
                    var request = sl_spawn_request(
                        path: path, argv: argv.baseAddress, envp: envp.baseAddress, cwd: cwd, socket: descriptors.socket,
                        out: descriptors.output, error: descriptors.errors, in: descriptors.input,
                        signal_at_parents_end: SIGKILL, cores: nil, core_count: 0)
                    return sl_spawn(&request)
                }
            }
        }
        if process > 0 { return process }
        let place = directory.map { " in \($0)" } ?? ""
        throw TaskError(.refused, "cannot start \(path)\(place): \(systemErrorText())")
    }

    static func locate(_ program: String, _ variables: [String]) -> String? {
        if program.contains("/") { return program }
        let path = variables.first { $0.hasPrefix("PATH=") }?.dropFirst(5) ?? "/usr/local/bin:/usr/bin:/bin"
        return path.split(separator: ":").map { "\($0)/\(program)" }.first { access($0, X_OK) == 0 }
    }
}

/// The descriptors of a program that is to be started.
private final class Files {
    private(set) var input: Int32 = -1
    private(set) var output: Int32 = -1
    private(set) var errors: Int32 = -1
    private(set) var outputRead: Int32 = -1
    private(set) var errorRead: Int32 = -1

    init(_ command: Command) throws(TaskError) {
        do throws(TaskError) {
            switch command.standardInput {
            case .nothing: break
            case .file(let path): input = try Self.open(path, command, O_RDONLY)
            case .bytes(let bytes):
                let (reading, writing) = try Self.pipe()
                input = reading
                _ = fcntl(reading, F_SETFL, fcntl(reading, F_GETFL) & ~O_NONBLOCK)
                _ = sl_set_nonblocking(writing)
                let written = write(writing, bytes, bytes.count)
                closeDescriptor(writing)
                guard written == bytes.count else { throw TaskError(.refused, "the pipe takes no \(bytes.count) bytes of input") }
            }
            switch command.standardOutput {
            case .result: (outputRead, output) = try Self.pipe()
            case .file(let path): output = try Self.open(path, command, O_WRONLY | O_CREAT | O_TRUNC)
            }
            switch command.standardError {
            case .result: (errorRead, errors) = try Self.pipe()
            case .file(let path): errors = try Self.open(path, command, O_WRONLY | O_CREAT | O_TRUNC)
            }
        } catch {
            close()
            throw error
        }
    }

    /// What only the program is to hold.
    func closeForeign() {
        for descriptor in [input, output, errors] where descriptor >= 0 { closeDescriptor(descriptor) }
        (input, output, errors) = (-1, -1, -1)
    }

    func close() {
        closeForeign()
        for descriptor in [outputRead, errorRead] where descriptor >= 0 { closeDescriptor(descriptor) }
        (outputRead, errorRead) = (-1, -1)
    }

    private static func pipe() throws(TaskError) -> (reading: Int32, writing: Int32) {
        do { return try makePipe() } catch { throw TaskError(.refused, error.description) }
    }

    private static func open(_ path: String, _ command: Command, _ flags: Int32) throws(TaskError) -> Int32 {
        let directory = command.workingDirectory.map { $0 + "/" } ?? ""
        let whole = path.hasPrefix("/") ? path : directory + path
        let file = Glibc.open(whole, flags | O_CLOEXEC, 0o666)
        if file >= 0 { return file }
        throw TaskError(.refused, "cannot start \(command.program): \(whole) cannot be opened: \(systemErrorText())")
    }
}

/// The last bytes of what comes from a pipe.
private struct Tail {
    private let size: Int
    private var descriptor: Int32
    private var chunk = [UInt8](repeating: 0, count: 1 << 16)
    private var kept: [UInt8] = []
    private(set) var count = 0

    init(_ descriptor: Int32, _ size: Int) {
        self.descriptor = descriptor
        self.size = size
    }

    var bytes: [UInt8] { Array(kept.suffix(size)) }
    /// A descriptor of -1 is waited for by nobody.
    var wait: pollfd { pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0) }

    /// Reads what is there; false where there is nothing.
    @discardableResult
    mutating func read() -> Bool {
        guard descriptor >= 0 else { return false }
        let count = Glibc.read(descriptor, &chunk, chunk.count)
        guard count > 0 else {
            if count == 0 { descriptor = -1 }
            return false
        }
        kept += chunk[..<count]
        self.count += count
        if kept.count > 4 * size { kept.removeFirst(kept.count - size) }
        return true
    }
}
