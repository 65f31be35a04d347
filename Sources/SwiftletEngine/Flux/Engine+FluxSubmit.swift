// SPDX-License-Identifier: BSD-3-Clause
import SwiftletFlux
import SwiftletTransport
import SwiftletWire

// Jobs that the client submits for the engine: it has its user's object for it, or the `flux` command sign them.
extension Engine {
    func submitThroughClient(
        _ jobspec: String, _ urgency: Int, _ answer: @escaping (Result<FluxJobID, FluxFault>) -> Void
    ) {
        guard !client.link.isClosed else { return answer(.failure(FluxFault("the client has left, which submits the jobs"))) }
        lastSubmission += 1
        submissions[lastSubmission] = answer
        client.link.send(.fluxSubmit, id: lastSubmission) { bytes in
            var attributes = Attributes()
            attributes[text: "jobspec"] = jobspec
            attributes[integer: "urgency"] = urgency
            attributes.write(to: &bytes)
        }
    }

    /// FLUX_SUBMITTED: the job's id, or why there is none.
    func submittedByClient(_ number: UInt64, _ attributes: Attributes) throws(WireError) {
        guard let answer = submissions.removeValue(forKey: number) else {
            throw WireError("FLUX_SUBMITTED \(number) was not asked for")
        }
        if let id = attributes[text: "job"].flatMap({ FluxJobID($0) }) {
            answer(.success(id))
        } else {
            answer(.failure(FluxFault(attributes[text: "error"] ?? "the client gives no reason")))
        }
    }
}
