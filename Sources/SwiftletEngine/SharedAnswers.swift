// SPDX-License-Identifier: BSD-3-Clause
import SwiftletLaunch

/// A program that runs a command for all engines of a user on this node: `swiftlet shared`, or a Swift program for its own engine.
public enum SharedAnswers {
    /// Prints the command's answer, or one that is at most as old as `arguments` say first, in milliseconds, and ends this process.
    /// Returns where the arguments make no sense.
    public static func run(_ arguments: ArraySlice<String>) {
        guard let age = arguments.first.flatMap({ UInt64($0) }), arguments.count > 1 else { return }
        SharedCommand.run(Array(arguments.dropFirst()), maxAge: age * 1_000_000)
    }
}
