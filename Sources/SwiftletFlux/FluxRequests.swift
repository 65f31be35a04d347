// SPDX-License-Identifier: BSD-3-Clause

/// The services of an instance that we ask, as values: topic, payload, and whether answers keep coming.
public struct FluxRequest: Hashable, Sendable {
    public var topic: String
    public var payload: JSON?
    public var isStreaming: Bool

    init(_ topic: String, _ payload: JSON?, streaming: Bool = false) {
        self.topic = topic
        self.payload = payload
        isStreaming = streaming
    }

    /// Answers when the instance is ready for work.
    public static let untilRunning = FluxRequest("state-machine.wait", [:])
    /// Answers with all, allocated and down resources.
    public static let resourceStatus = FluxRequest("sched.resource-status", nil)
    /// Every event of every job from now on. The instance owner only.
    public static let journal = FluxRequest("job-manager.events-journal", ["full": false], streaming: true)

    public static func attribute(_ name: String) -> FluxRequest { FluxRequest("attr.get", ["name": .string(name)]) }

    /// The jobspec is not looked at by a validator: a process of Flux's, which takes longer than all else of a submission. An
    /// instance lets its owner say so. Queue, dependencies, urgency and resources are still refused.
    private static let notValidated: JSON = 8

    /// A job from its signed form, made by the instance's owner. `urgency` 0 holds it, 16 is usual, 31 is first.
    public static func submit(signed: String, urgency: Int) -> FluxRequest {
        FluxRequest(
            "job-ingest.submit", ["J": .string(signed), "urgency": .integer(Int64(urgency)), "flags": notValidated])
    }

    /// Ends a job: pending ones at once, running ones with SIGTERM, after the instance's kill timeout with SIGKILL.
    public static func cancel(_ job: FluxJobID, note: String) -> FluxRequest {
        FluxRequest(
            "job-manager.raise", ["id": .integer(job.rawValue), "severity": 0, "type": "cancel", "note": .string(note)])
    }

    public static func signal(_ job: FluxJobID, _ signal: Int32) -> FluxRequest {
        FluxRequest("job-manager.kill", ["id": .integer(job.rawValue), "signum": .integer(Int64(signal))])
    }

    public static func urgency(_ job: FluxJobID, _ urgency: Int) -> FluxRequest {
        FluxRequest("job-manager.urgency", ["id": .integer(job.rawValue), "urgency": .integer(Int64(urgency))])
    }

    /// The event log of one job from its beginning, ending with the job.
    public static func events(of job: FluxJobID) -> FluxRequest {
        FluxRequest(
            "job-info.eventlog-watch", ["id": .integer(job.rawValue), "path": "eventlog", "flags": 0], streaming: true)
    }

    /// What one job prints, from its beginning, ending with the job.
    /// Of a job that is over nothing is waited for that is not there: a job that is ended early leaves no output log.
    public static func output(of job: FluxJobID, isOver: Bool) -> FluxRequest {
        FluxRequest(
            "job-info.eventlog-watch", ["id": .integer(job.rawValue), "path": "guest.output", "flags": .integer(isOver ? 0 : 1)],
            streaming: true)
    }

    /// What Flux keeps of a job under these keys: `R`, `jobspec`, `eventlog`.
    public static func lookUp(_ job: FluxJobID, keys: [String]) -> FluxRequest {
        FluxRequest(
            "job-info.lookup",
            ["id": .integer(job.rawValue), "keys": .array(keys.map { .string($0) }), "flags": 0])
    }
}

/// A jobspec signed by nobody: what the owner of an instance submits. Others need their site's signature, which the `flux`
/// command makes.
public enum OwnerSignature {
    public static func wrap(_ jobspec: JSON, userID: UInt32) -> String {
        var header: [UInt8] = []
        for (key, value) in [("version", "i1"), ("userid", "i\(userID)"), ("mechanism", "snone")] {
            header += Array(key.utf8) + [0] + Array(value.utf8) + [0]
        }
        return Base64.encoded(header) + "." + Base64.encoded(jobspec.utf8) + ".none"
    }
}
