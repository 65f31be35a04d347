// SPDX-License-Identifier: BSD-3-Clause
import SwiftletWire

/// What one task asks for.
public struct ResourceRequest: Hashable, Sendable {
    /// Hardware threads; they count against the executor's cores.
    public var threadsPerCore: Int
    /// The longest time it may run, from its start; then its worker is ended.
    public var timeLimit: Duration?
    /// The directory it runs in; nil: where the program was when the executor was made.
    public var workingDirectory: String?
    /// Tasks with a larger number start first.
    public var priority: Int
    /// How often it is started again when its worker dies while it runs; nil: the executor's.
    public var restartLimit: Int?

    public init(
        threadsPerCore: Int = 1, timeLimit: Duration? = nil, workingDirectory: String? = nil, priority: Int = 0,
        restartLimit: Int? = nil
    ) {
        self.threadsPerCore = threadsPerCore
        self.timeLimit = timeLimit
        self.workingDirectory = workingDirectory
        self.priority = priority
        self.restartLimit = restartLimit
    }

    /// Cores of the machine that it occupies.
    var occupiedCores: Int { threadsPerCore }

    /// - Throws: ``TaskError`` (`refused`) that names what makes no sense.
    func validate(maxCores: Int?) throws(TaskError) {
        func require(_ holds: Bool, _ text: @autoclosure () -> String) throws(TaskError) {
            if !holds { throw TaskError(.refused, text()) }
        }
        try require(threadsPerCore >= 1, "threadsPerCore is \(threadsPerCore); at least 1 is needed")
        try require(timeLimit.map { $0 > .zero } ?? true, "timeLimit is \(timeLimit ?? .zero); it must be longer than nothing")
        try require((restartLimit ?? 0) >= 0, "restartLimit is \(restartLimit ?? 0); it cannot be negative")
        if let maxCores {
            try require(
                occupiedCores <= maxCores,
                "the task asks for \(occupiedCores) cores, the executor has \(maxCores): ask for fewer, or raise maxCores")
        }
    }

    /// As frame REQUEST carries it. What only the worker needs (the directory) is not in there.
    var attributes: Attributes {
        var attributes = Attributes()
        attributes[integer: "threads_per_core"] = threadsPerCore
        attributes[number: "time_limit"] = timeLimit.map {
            Double($0.components.seconds) + Double($0.components.attoseconds) / 1e18
        }
        attributes[integer: "priority"] = priority
        attributes[integer: "restart_limit"] = restartLimit
        return attributes
    }
}
