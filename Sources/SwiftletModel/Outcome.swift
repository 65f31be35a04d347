// SPDX-License-Identifier: BSD-3-Clause

/// How a process ended.
public enum ProcessEnd: Hashable, Sendable, CustomStringConvertible {
    case exited(status: Int32)
    case signalled(Int32)
    /// It was ended because it and what it had started used more bytes of memory than it may.
    case memoryLimit(UInt64, used: UInt64)
    /// It could not be started, or its connection was lost in another way; the text says why.
    case failed(String)
    /// Somebody else ended it while it ran; the text says who, and why.
    case taken(String)

    public var description: String {
        switch self {
        case .exited(let status): "exited with status \(status)"
        case .signalled(let signal): "was ended by signal \(signal)\(Self.name(of: signal).map { " (\($0))" } ?? "")"
        case .memoryLimit(let limit, let used):
            "used \(Self.megabytes(used)) MB of memory, more than the \(Self.megabytes(limit)) MB it may use, and was ended"
        case .failed(let reason), .taken(let reason): reason
        }
    }

    /// Decodes a status as waitpid(2) gives it.
    public init(waitStatus: Int32) {
        let signal = waitStatus & 0x7f
        self = signal == 0 ? .exited(status: (waitStatus >> 8) & 0xff) : .signalled(signal)
    }

    private static func megabytes(_ bytes: UInt64) -> UInt64 { (bytes + (1 << 19)) >> 20 }

    /// The status as waitpid(2) would give it; that of exit 1 where it was never started.
    public var waitStatus: Int32 {
        switch self {
        case .exited(let status): status << 8
        case .signalled(let signal): signal
        case .memoryLimit, .taken: 9
        case .failed: 1 << 8
        }
    }

    static func name(of signal: Int32) -> String? {
        switch signal {
        case 1: "SIGHUP"
        case 2: "SIGINT"
        case 3: "SIGQUIT"
        case 4: "SIGILL"
        case 5: "SIGTRAP"
        case 6: "SIGABRT"
        case 7: "SIGBUS"
        case 8: "SIGFPE"
        case 9: "SIGKILL"
        case 10: "SIGUSR1"
        case 11: "SIGSEGV"
        case 12: "SIGUSR2"
        case 13: "SIGPIPE"
        case 14: "SIGALRM"
        case 15: "SIGTERM"
        case 24: "SIGXCPU"
        case 25: "SIGXFSZ"
        case 31: "SIGSYS"
        default: nil
        }
    }
}

/// How a task ended, as the scheduler sees it. What the value or the error is, is in payloads it never sees.
public enum Outcome: Hashable, Sendable {
    /// The call returned.
    case value
    /// The call raised an error.
    case error
    /// Its worker died, and its limit of restarts is used up; one reason for each attempt, oldest first.
    case lost(reasons: [ProcessEnd])
    /// Cancelled; `origin` is the cancelled input, nil where the task itself was cancelled.
    case cancelled(origin: TaskID?)
    /// An input ended without a value; `origin` is the first task in the chain that failed.
    case inputFailed(origin: TaskID)
    /// It ran longer than its limit.
    case timeLimit
    /// It could not be run at all; the text says why.
    case refused(String)
}
