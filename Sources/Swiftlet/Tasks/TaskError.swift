// SPDX-License-Identifier: BSD-3-Clause

/// Why a task has no value.
public struct TaskError: Error, Sendable, CustomStringConvertible {
    /// What kind of end it was. More kinds may come; a `switch` over them needs a default.
    public struct Code: Hashable, Sendable, CustomStringConvertible {
        private enum Kind: String, Sendable, CaseIterable {
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

        init?(named name: String) {
            guard let kind = Kind(rawValue: name) else { return nil }
            self.kind = kind
        }

        private init(kind: Kind) { self.kind = kind }
    }

    /// One allocation: a million pending tasks have room for a reference each, not for all of this.
    private final class Storage: Sendable {
        let code: Code
        let description: String
        let details: Details
        init(_ code: Code, _ description: String, _ details: Details) {
            self.code = code
            self.description = description
            self.details = details
        }
    }

    struct Details: Sendable {
        var cause: (any Error)?
        var causeType: String?
        var host: String?
        var process: Int32?
        var attempt = 0
        var attempts: [String] = []
        var exitStatus: Int32?
        var signal: Int32?
        var errorOutput = ""
    }

    private let storage: Storage

    init(_ code: Code, _ description: String, _ details: Details = Details()) {
        storage = Storage(code, description, details)
    }

    public var code: Code { storage.code }
    /// What happened, in plain words.
    public var description: String { storage.description }
    /// The error that `run()` threw (for `inputFailed`: that of the input), where its type is `Codable` and can be found by name.
    ///
    /// Where that is the ``TaskError`` of a task of an executor in `run()`, it has its own cause, and so on: at most 16 of them, and 64 KiB
    /// with what caused the last one. What is cut off is still named by ``causeType``.
    public var cause: (any Error)? { storage.details.cause }
    /// The name of that error's type, whether it could be decoded or not.
    public var causeType: String? { storage.details.causeType }
    /// The machine on which the last attempt ran; nil where there was none.
    public var host: String? { storage.details.host }
    /// The worker's process there.
    public var processID: Int32? { storage.details.process }
    /// The number of the last attempt, from 1; 0 where the task never ran.
    public var attempt: Int { storage.details.attempt }
    /// For a lost task: why each attempt ended, oldest first.
    public var attempts: [String] { storage.details.attempts }
    /// For a lost task: the status its worker exited with, where it did.
    public var exitStatus: Int32? { storage.details.exitStatus }
    /// For a lost task: the signal that ended its worker, where one did.
    public var signal: Int32? { storage.details.signal }
    /// The last lines that the worker printed on its error output; before them, where it trapped, the line that says why (`Fatal error:`).
    public var errorOutput: String { storage.details.errorOutput }

    /// Whether the same call may well succeed when it is submitted again: what ended it was not its own doing, as far as is known.
    public var isRetryable: Bool { code == .lost || code == .engineEnded }
}
