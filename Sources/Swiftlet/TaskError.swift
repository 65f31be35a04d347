// SPDX-License-Identifier: BSD-3-Clause

/// Why a task has no value.
public struct TaskError: Error, Sendable, CustomStringConvertible {
    /// What kind of end it was. More kinds may come; a `switch` over them needs a default.
    public struct Code: Hashable, Sendable, CustomStringConvertible {
        private enum Kind: String, Sendable {
            case failed, lost, cancelled, inputFailed, timeLimit, refused, undecodable, engineEnded
        }
        private let kind: Kind

        /// `run()` threw an error.
        public static let failed = Code(kind: .failed)
        /// Its worker died.
        public static let lost = Code(kind: .lost)
        /// It was cancelled.
        public static let cancelled = Code(kind: .cancelled)
        /// One of its inputs has no value.
        public static let inputFailed = Code(kind: .inputFailed)
        /// It ran longer than its limit.
        public static let timeLimit = Code(kind: .timeLimit)
        /// It could not be run at all.
        public static let refused = Code(kind: .refused)
        /// Its arguments or its value could not be encoded or decoded.
        public static let undecodable = Code(kind: .undecodable)
        /// The engine ended before the task did.
        public static let engineEnded = Code(kind: .engineEnded)

        public var description: String { kind.rawValue }
    }

    public let code: Code
    /// What happened, in plain words.
    public let description: String
    /// The last lines that the worker printed on its error output.
    public let errorOutput: String
}
