// SPDX-License-Identifier: BSD-3-Clause

/// A program to be started, as data.
public struct LaunchCommand: Hashable, Sendable {
    public var arguments: [String]
    /// `NAME=value`.
    public var environment: [String]
    /// Seconds it has between SIGTERM and SIGKILL when everything ends; what it started elsewhere is ended by it. 0: SIGKILL at once.
    public var grace: Int

    public init(arguments: [String], environment: [String], grace: Int = 0) {
        self.arguments = arguments
        self.environment = environment
        self.grace = grace
    }

    /// As a line that a POSIX shell reads back into the same arguments.
    public var shellLine: String { arguments.map(ShellWord.quoted).joined(separator: " ") }
}
