// SPDX-License-Identifier: BSD-3-Clause
import CSwiftlet
import Glibc
import SwiftletTransport

/// Why a program could not be started.
struct SpawnError: Error, CustomStringConvertible {
    let description: String
}

/// Starting of a program with its own session, its socket as descriptor 3, and an end tied to the calling thread's.
enum Spawn {
    /// The process id. The program is looked up in the PATH of `environment` where `arguments[0]` has no slash.
    static func start(
        _ arguments: [String], environment: [String], directory: String?, socket: Int32?, output: Int32, errors: Int32,
        input: [UInt8] = [], inputFile: Int32? = nil, cores: [Int] = [], parentsEnd signal: Int32 = SIGKILL
    ) -> Result<pid_t, SpawnError> {
        guard let program = arguments.first else { return .failure(SpawnError(description: "no program was named")) }
        guard let path = locate(program, environment) else {
            return .failure(SpawnError(description: "cannot start \(program): not found in PATH"))
        }
        var argv: [UnsafeMutablePointer<CChar>?] = arguments.map { strdup($0) } + [nil]
        var envp: [UnsafeMutablePointer<CChar>?] = environment.map { strdup($0) } + [nil]
        let cwd = directory.flatMap { strdup($0) }
        let inputPipe = input.isEmpty ? nil : pipe(holding: input)
        guard input.isEmpty || inputPipe != nil else {
            return .failure(SpawnError(description: "cannot start \(path): no pipe could be had for its input"))
        }
        defer { inputPipe.map { closeDescriptor($0) } }
        defer { (argv + envp + [cwd]).forEach { free($0) } }
        let coreNumbers = cores.map { Int32(clamping: $0) }
        let process = path.withCString { path in
            argv.withUnsafeMutableBufferPointer { argv in
                envp.withUnsafeMutableBufferPointer { envp in
                    coreNumbers.withUnsafeBufferPointer { cores in
                        var request = sl_spawn_request(
                            path: path, argv: argv.baseAddress, envp: envp.baseAddress, cwd: cwd, socket: socket ?? -1,
                            out: output, error: errors, in: inputPipe ?? inputFile ?? -1, signal_at_parents_end: signal,
                            cores: cores.baseAddress,
                            core_count: Int32(cores.count))
                        return sl_spawn(&request)
                    }
                }
            }
        }
        if process > 0 { return .success(process) }
        let place = directory.map { " in \($0)" } ?? ""
        return .failure(SpawnError(description: "cannot start \(path)\(place): \(systemErrorText())"))
    }

    /// The reading end of a pipe with these bytes in it, and nothing after them; nil where they do not fit.
    private static func pipe(holding bytes: [UInt8]) -> Int32? {
        guard let (reading, writing) = try? makePipe() else { return nil }
        _ = fcntl(reading, F_SETFL, fcntl(reading, F_GETFL) & ~O_NONBLOCK)
        _ = sl_set_nonblocking(writing)
        let written = write(writing, bytes, bytes.count)
        closeDescriptor(writing)
        if written == bytes.count { return reading }
        closeDescriptor(reading)
        return nil
    }

    private static func locate(_ program: String, _ environment: [String]) -> String? {
        if program.contains("/") { return program }
        let path = environment.first { $0.hasPrefix("PATH=") }?.dropFirst(5) ?? "/usr/local/bin:/usr/bin:/bin"
        return path.split(separator: ":").map { "\($0)/\(program)" }.first { access($0, X_OK) == 0 }
    }
}
