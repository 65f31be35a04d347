// SPDX-License-Identifier: BSD-3-Clause

/// One entry of a job's event log (RFC 18, RFC 21).
public struct FluxEvent: Hashable, Sendable {
    public var timestamp: Double
    public var name: String
    public var context: JSON

    public init(timestamp: Double = 0, name: String, context: JSON = .null) {
        self.timestamp = timestamp
        self.name = name
        self.context = context
    }

    /// Nil where it is no entry of an event log.
    public init?(_ json: JSON) {
        guard let name = json["name"]?.string else { return nil }
        self.init(timestamp: json["timestamp"]?.number ?? 0, name: name, context: json["context"] ?? .null)
    }

    /// What a job printed, in an entry of its output log (RFC 24); nil where the entry holds none.
    public var text: String? {
        guard let data = context["data"]?.string else { return nil }
        return context["encoding"]?.string == "base64" ? String(decoding: Base64.decoded(data), as: UTF8.self) : data
    }
}

/// How a job ended, in Flux's words.
public struct FluxJobEnd: Hashable, Sendable {
    public enum Result: String, Sendable {
        case completed, failed, cancelled, timeout
    }

    public var result: Result
    /// As waitpid(2) would give it for the job's shells; nil where the job never started.
    public var waitStatus: Int32?
    /// Type and text of the exception that ended it (`cancel`, `timeout`, `alloc`, `exec`, `dependency`, …), where there was one.
    public var exception: (type: String, note: String)?
    /// It was started before it ended.
    public var didStart: Bool

    public static func == (left: FluxJobEnd, right: FluxJobEnd) -> Bool {
        left.result == right.result && left.waitStatus == right.waitStatus && left.didStart == right.didStart
            && left.exception?.type == right.exception?.type && left.exception?.note == right.exception?.note
    }

    public func hash(into hasher: inout Hasher) {
        hasher.combine(result)
        hasher.combine(waitStatus)
    }

    public init(
        result: Result, waitStatus: Int32? = nil, exception: (type: String, note: String)? = nil, didStart: Bool = false
    ) {
        self.result = result
        self.waitStatus = waitStatus
        self.exception = exception
        self.didStart = didStart
    }

    /// The exit code as `flux job status` gives it: 128 + signal where a signal ended it, 1 where it never started.
    public var exitCode: Int {
        guard let status = waitStatus else { return result == .completed ? 0 : 1 }
        let signal = Int(status & 0x7f)
        return signal == 0 ? Int(status >> 8 & 0xff) : 128 + signal
    }

    /// The signal that ended its tasks, where one did.
    public var signal: Int? { exitCode > 128 && exitCode <= 128 + 64 ? exitCode - 128 : nil }

    /// It can never have run: the reason lies in what was asked for, and asking again gives the same answer.
    public var isRefusal: Bool {
        guard !didStart, let type = exception?.type else { return false }
        return type == "alloc" || type == "feasibility" || type == "validate"
    }
}

extension FluxJobEnd: CustomStringConvertible {
    /// A sentence about the job, without its id: "ran into its time limit", "exited with status 3".
    public var description: String {
        let note = exception.map { $0.note.isEmpty ? $0.type : $0.note }
        switch result {
        case .completed: return "exited with status 0"
        case .timeout: return "ran into its time limit"
        case .cancelled: return "was cancelled" + (exception.map { $0.note.isEmpty ? "" : ": \($0.note)" } ?? "")
        case .failed:
            if !didStart || waitStatus == nil { return "failed: \(note ?? "Flux gives no reason")" }
            let how = signal.map { "was ended by signal \($0)" } ?? "exited with status \(exitCode)"
            return note.map { "\(how): \($0)" } ?? how
        }
    }
}

/// What has been heard of a job so far. Events in, the end out; a value.
public struct FluxJobProgress: Hashable, Sendable {
    public enum State: Hashable, Sendable {
        case pending, running, cleaningUp
        case inactive
    }

    public private(set) var state = State.pending
    private var waitStatus: Int32?
    private var didStart = false
    private var exceptionType: String?
    private var exceptionNote = ""

    public init() {}

    /// Takes in an event. The end where this event completes it: the job and its processes are gone, its resources are free.
    public mutating func receive(_ event: FluxEvent) -> FluxJobEnd? {
        guard state != .inactive else { return nil }
        switch event.name {
        case "start":
            didStart = true
            state = .running
        case "finish":
            waitStatus = event.context["status"]?.integer.map { Int32(truncatingIfNeeded: $0) }
            state = .cleaningUp
        case "exception":
            // Severity 0 ends a job. Of several, the first is the reason and the others follow from it.
            if event.context["severity"]?.integer ?? 0 == 0, exceptionType == nil {
                exceptionType = event.context["type"]?.string ?? "unknown"
                exceptionNote = event.context["note"]?.string ?? ""
                if state == .pending { state = .cleaningUp }
            }
        case "clean":
            state = .inactive
            return end
        default: break
        }
        return nil
    }

    /// What it would end with now.
    private var end: FluxJobEnd {
        let result: FluxJobEnd.Result =
            switch exceptionType {
            case "cancel"?: .cancelled
            case "timeout"?: .timeout
            case .some: .failed
            case nil: waitStatus == 0 ? .completed : .failed
            }
        return FluxJobEnd(
            result: result, waitStatus: waitStatus, exception: exceptionType.map { ($0, exceptionNote) }, didStart: didStart)
    }
}
