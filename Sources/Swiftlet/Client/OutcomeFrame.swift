// SPDX-License-Identifier: BSD-3-Clause
import SwiftletLaunch
import SwiftletWire

/// The end of a task as the engine tells it.
struct OutcomeFrame {
    let result: PendingCall.Outcome
    /// Nanoseconds it ran; 0 where it did not.
    let duration: UInt64

    init(_ body: UnsafeRawBufferPointer) throws {
        var reader = ByteReader(body)
        let kind: UInt8 = try reader.integer()
        let _: UInt8 = try reader.integer()  // flags
        let attempt: UInt16 = try reader.integer()
        let _: UInt32 = try reader.integer()  // worker
        let process: UInt32 = try reader.integer()
        let _: UInt64 = try reader.integer()  // start
        duration = try reader.integer()
        let attributes = try Attributes(&reader)
        let payload = try Payload.inlineParts(&reader)?.first ?? []
        guard kind != 0 else {
            result = .success(payload)
            return
        }
        var details = TaskError.Details()
        details.attempt = Int(attempt)
        details.process = process == 0 ? nil : Int32(bitPattern: process)
        details.host = attempt == 0 ? nil : attributes[text: "host"] ?? hostName()
        details.attempts = attributes[list: "attempts"] ?? []
        details.exitStatus = attributes[integer: "exit_status"].map { Int32($0) }
        details.signal = attributes[integer: "signal"].map { Int32($0) }
        details.errorOutput = attributes[text: "stderr"] ?? ""
        result = .failure(Self.error(kind, attributes, payload, details))
    }

    private static func error(
        _ kind: UInt8, _ attributes: Attributes, _ payload: [UInt8], _ details: TaskError.Details
    ) -> TaskError {
        var details = details
        let report = payload.isEmpty ? nil : try? TaskCoding.decode(ErrorReport.self, payload)
        details.cause = report?.cause
        details.causeType = report?.type
        let said = report.map { ": \($0.description)" } ?? ""
        let reason = memoryReason(attributes, details) ?? attributes[text: "reason"] ?? "no reason was given"
        switch kind {
        case 1:
            let code = report.flatMap { TaskError.Code(named: $0.code) } ?? .failed
            return TaskError(code, report?.description ?? "the task failed and did not say why", details)
        case 2:
            let subject = reason.hasPrefix("queue job ") ? "the" : "the worker that ran the task"
            return TaskError(.lost, "\(subject) \(reason)", details)
        case 3: return TaskError(.cancelled, "the task was cancelled", details)
        case 4: return TaskError(.inputFailed, "an input has no value" + (inputFailure(attributes, details) ?? said), details)
        case 5:
            let limit = attributes[number: "limit"].map { " of \($0) s" } ?? ""
            return TaskError(.timeLimit, "the task ran longer than its limit" + limit, details)
        default: return TaskError(.refused, reason + said, details)
        }
    }

    /// How an input ended that threw nothing.
    private static func inputFailure(_ attributes: Attributes, _ details: TaskError.Details) -> String? {
        guard let kind = attributes[integer: "cause_kind"], let bytes = attributes[bytes: "cause"] else { return nil }
        let cause = bytes.withUnsafeBytes { raw in
            var reader = ByteReader(raw)
            return try? Attributes(&reader)
        }
        return cause.map { ": " + error(UInt8(clamping: kind), $0, [], details).description }
    }

    /// Of a task that used more memory than it may, in the words of ``ResourceRequest``.
    private static func memoryReason(_ attributes: Attributes, _ details: TaskError.Details) -> String? {
        guard let limit = attributes[integer: "memory_limit"], let used = attributes[integer: "memory_used"] else {
            guard SrunReport(details.errorOutput).isOverMemory else { return nil }
            return "used more memory than its request's memory, or what its job has, and was ended by Slurm"
        }
        return "used \(used >> 20) MB of memory, more than the \(limit >> 20) MB of its request's memory, and was ended"
    }
}
