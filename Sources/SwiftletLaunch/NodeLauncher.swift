// SPDX-License-Identifier: BSD-3-Clause
public import SwiftletModel

/// What brings processes to nodes: commands of a batch system, as data.
public protocol NodeLauncher: Sendable {
    /// Starts an agent on each of these nodes and lasts as long as they do. Each reads the ticket that the command gets on its standard
    /// input.
    func agents(on nodes: [String]) -> LaunchCommand
    /// Starts a worker in a slot and lasts as long as it does; exits with 128 + n where signal n ended it. The worker (rank 0 of a
    /// group) reads the ticket that the command gets on its standard input.
    func step(_ request: ResourceRequest, in slot: Slot, program: [String]) -> LaunchCommand
    /// Ends a step that has lost its command; nil where there is nothing to end.
    func cancel(step: String) -> LaunchCommand?
}
