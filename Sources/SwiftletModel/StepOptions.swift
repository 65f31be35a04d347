// SPDX-License-Identifier: BSD-3-Clause

/// What a launcher of job steps needs to know of a call beside its resources. The scheduler looks at nothing but
/// whether it is a step.
public struct StepOptions: Hashable, Sendable {
    /// The call is to be a step of its own, although an agent could run it.
    public var isAskedFor: Bool
    /// The launcher starts each rank as a process of its own, where the program could start its other ranks itself.
    public var startsRanks: Bool
    /// The directory it starts in.
    public var directory: String?
    /// Further arguments for the launcher's command.
    public var arguments: [String]
    /// Where no nodes are known before the launcher asks for them: how many; nil: the launcher's choice.
    public var nodes: Int?
    /// The same: GPUs for each rank.
    public var gpusPerCore: Int
    /// The same: nothing else runs on them.
    public var isExclusive: Bool

    public init(
        isAskedFor: Bool = false, startsRanks: Bool = false, directory: String? = nil, arguments: [String] = [],
        nodes: Int? = nil, gpusPerCore: Int = 0, isExclusive: Bool = false
    ) {
        self.isAskedFor = isAskedFor
        self.startsRanks = startsRanks
        self.directory = directory
        self.arguments = arguments
        self.nodes = nodes
        self.gpusPerCore = gpusPerCore
        self.isExclusive = isExclusive
    }
}
