// SPDX-License-Identifier: BSD-3-Clause
import SwiftletWire

/// An external program as a task. Its value is how it ended: a status other than 0 is a result, no error.
///
/// ```swift
/// let lammps = try executor.submit(Command("lmp", arguments: ["-in", "in.melt"], standardOutput: .file("melt.log")))
/// guard try await lammps.value.isSuccess else { … }
/// ```
///
/// A fresh executor starts the program itself; elsewhere a worker does.
public struct Command: RemoteTask, Hashable {
    /// What the program reads from its standard input.
    public enum Source: Codable, Hashable, Sendable {
        case nothing
        /// At most 64 KiB.
        case bytes([UInt8])
        case file(String)

        /// At most 64 KiB.
        public static func text(_ text: String) -> Source { .bytes(Array(text.utf8)) }
    }

    /// Where what the program prints goes.
    public enum Destination: Codable, Hashable, Sendable {
        /// The last 64 KiB come with the result.
        case result
        /// A file, made or emptied when the program starts. A relative path starts at the program's directory.
        case file(String)
    }

    /// A path, or a name that is looked up in PATH.
    public var program: String
    public var arguments: [String]
    /// Variables beside (or instead of) those of the executor.
    public var environment: [String: String]
    /// The directory it runs in; nil: that of its request. A relative path begins where the submitting program is when it submits.
    public var workingDirectory: String?
    public var standardInput: Source
    public var standardOutput: Destination
    public var standardError: Destination

    public init(
        _ program: String, arguments: [String] = [], environment: [String: String] = [:], workingDirectory: String? = nil,
        standardInput: Source = .nothing, standardOutput: Destination = .result, standardError: Destination = .result
    ) {
        self.program = program
        self.arguments = arguments
        self.environment = environment
        self.workingDirectory = workingDirectory
        self.standardInput = standardInput
        self.standardOutput = standardOutput
        self.standardError = standardError
    }

    /// - Throws: ``TaskError`` (`refused`) where the program cannot be started.
    public func run() async throws -> CommandResult { try await CommandRunner.run(self) }

    /// The same, whatever directory whoever starts it is in.
    func inAbsoluteDirectory() throws(TaskError) -> Command {
        var command = self
        command.workingDirectory = try absoluteDirectory(workingDirectory)
        return command
    }

    /// What the engine is told, beside the environment that all programs of the executor have.
    func attributes(in directory: String?) -> Attributes {
        var attributes = Attributes()
        attributes[list: "argv"] = [program] + arguments
        if !environment.isEmpty {
            attributes[list: "env"] = environment.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }
        }
        attributes[text: "cwd"] = workingDirectory ?? directory
        switch standardInput {
        case .nothing: break
        case .bytes(let bytes): attributes[bytes: "stdin"] = bytes
        case .file(let path): attributes[text: "stdin_file"] = path
        }
        if case .file(let path) = standardOutput { attributes[text: "stdout_file"] = path }
        if case .file(let path) = standardError { attributes[text: "stderr_file"] = path }
        return attributes
    }

    /// - Throws: ``TaskError`` (`refused`) that names what no program can be given.
    func validate() throws(TaskError) {
        if program.isEmpty { throw TaskError(.refused, "the command has no program") }
        try SystemText.check(program, "the program of the command")
        for (place, argument) in arguments.enumerated() {
            try SystemText.check(argument, "argument \(place) of the command \(program)")
        }
        try SystemText.check(environment, of: "the command \(program)")
        try SystemText.check(workingDirectory, "workingDirectory of the command \(program)")
        if case .file(let path) = standardInput { try SystemText.check(path, "standardInput of the command \(program)") }
        if case .file(let path) = standardOutput { try SystemText.check(path, "standardOutput of the command \(program)") }
        if case .file(let path) = standardError { try SystemText.check(path, "standardError of the command \(program)") }
        if case .bytes(let bytes) = standardInput, bytes.count > 1 << 16 {
            throw TaskError(
                .refused, "the command's standard input has \(bytes.count) bytes, at most 65536 are passed on: use a file")
        }
    }
}

/// How a ``Command`` ended.
public struct CommandResult: Codable, Hashable, Sendable {
    /// The status it exited with; nil where a signal ended it.
    public let exitStatus: Int32?
    /// The signal that ended it; nil where it exited.
    public let signal: Int32?
    /// The last bytes of its standard output, at most 65536.
    public let output: [UInt8]
    /// The last bytes of its standard error output, at most 65536.
    public let errors: [UInt8]
    /// How many bytes it printed on each, where they did not go to a file.
    public let outputCount: Int
    public let errorCount: Int
    let nanoseconds: Int

    init(
        exitStatus: Int32?, signal: Int32?, output: [UInt8], errors: [UInt8], outputCount: Int, errorCount: Int, nanoseconds: Int
    ) {
        self.exitStatus = exitStatus
        self.signal = signal
        self.output = output
        self.errors = errors
        self.outputCount = outputCount
        self.errorCount = errorCount
        self.nanoseconds = nanoseconds
    }

    /// It exited with status 0.
    public var isSuccess: Bool { exitStatus == 0 }
    /// `output` as text.
    public var standardOutput: String { String(decoding: output, as: UTF8.self) }
    /// `errors` as text.
    public var standardError: String { String(decoding: errors, as: UTF8.self) }
    /// How long it ran.
    public var duration: Duration { .nanoseconds(nanoseconds) }
}

extension Executor {
    /// Runs an external program and waits for its end. A status other than 0 is a result, no error.
    ///
    /// - Parameter cacheKey: where the result is kept, whatever the status, and found instead of running the program again. It covers what
    ///   is said here, not the files that the program reads: give them a version.
    /// - Throws: ``TaskError`` where it could not be started, was cancelled, or ran longer than its limit.
    public func run(
        _ program: String, arguments: [String] = [], environment: [String: String] = [:], workingDirectory: String? = nil,
        resources: ResourceRequest? = nil, cacheKey: CacheKey? = nil
    ) async throws(TaskError) -> CommandResult {
        let command = Command(program, arguments: arguments, environment: environment, workingDirectory: workingDirectory)
        return try await run(command, resources: resources, cacheKey: cacheKey)
    }
}
