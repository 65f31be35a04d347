// SPDX-License-Identifier: BSD-3-Clause
import Glibc
import SwiftletTransport
import SwiftletWire

/// Files that a program reads and writes as its standard streams. They are opened by the process that starts it: a file system
/// may let it wait, and the engine waits for nothing.
public struct SpawnFiles {
    public var input: String?
    public var output: String?
    public var errors: String?

    public init(input: String? = nil, output: String? = nil, errors: String? = nil) {
        self.input = input
        self.output = output
        self.errors = errors
    }

    init(_ attributes: Attributes) {
        input = attributes[text: "stdin_file"]
        output = attributes[text: "stdout_file"]
        errors = attributes[text: "stderr_file"]
    }

    func add(to attributes: inout Attributes) {
        attributes[text: "stdin_file"] = input
        attributes[text: "stdout_file"] = output
        attributes[text: "stderr_file"] = errors
    }

    /// Open files, to be closed when the program has been started.
    struct Opened {
        var input: Int32?
        var output: Int32?
        var errors: Int32?

        func close() { for file in [input, output, errors] { file.map { closeDescriptor($0) } } }
    }

    /// Relative paths begin at `directory`.
    func open(for program: String, in directory: String?) -> Result<Opened, SpawnError> {
        var opened = Opened()
        func open(_ path: String?, _ flags: Int32) throws(SpawnError) -> Int32? {
            guard let path else { return nil }
            let whole = path.hasPrefix("/") ? path : (directory.map { $0 + "/" } ?? "") + path
            let file = Glibc.open(whole, flags | O_CLOEXEC, 0o666)
            if file >= 0 { return file }
            throw SpawnError(description: "cannot start \(program): \(whole) cannot be opened: \(systemErrorText())")
        }
        do throws(SpawnError) {
            opened.input = try open(input, O_RDONLY)
            opened.output = try open(output, O_WRONLY | O_CREAT | O_TRUNC)
            opened.errors = try open(errors, O_WRONLY | O_CREAT | O_TRUNC)
            return .success(opened)
        } catch {
            opened.close()
            return .failure(error)
        }
    }
}
