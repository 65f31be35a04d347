// SPDX-License-Identifier: BSD-3-Clause
import SwiftletWire

/// The end of a task as the engine tells it.
struct OutcomeFrame {
    let result: PendingCall.Outcome

    init(_ body: UnsafeRawBufferPointer) throws {
        var reader = ByteReader(body)
        let kind: UInt8 = try reader.integer()
        _ = try reader.slice(27)  // flags, attempt, worker, process, start, duration
        let attributes = try Attributes(&reader)
        let payload = try Payload.inlineParts(&reader)?.first ?? []
        if kind == 0 {
            result = .success(payload)
        } else {
            let (code, text) = Self.describe(kind, attributes, payload)
            result = .failure(TaskError(code: code, description: text, errorOutput: attributes[text: "stderr"] ?? ""))
        }
    }

    private static func describe(_ kind: UInt8, _ attributes: Attributes, _ payload: [UInt8]) -> (TaskError.Code, String) {
        let said = String(decoding: payload, as: UTF8.self)
        let reason = attributes[text: "reason"] ?? "no reason was given"
        switch kind {
        case 1: return (.failed, said)
        case 2: return (.lost, "the worker that ran the task \(reason)")
        case 3: return (.cancelled, "the task was cancelled")
        case 4: return (.inputFailed, "an input has no value" + (said.isEmpty ? "" : ": \(said)"))
        case 5: return (.timeLimit, "the task ran longer than its limit")
        default: return (.refused, reason + (said.isEmpty ? "" : ": \(said)"))
        }
    }
}
