// SPDX-License-Identifier: BSD-3-Clause
import Glibc
import SwiftletEngine
import SwiftletWire

/// Submits the engine's jobs by the `flux` command, which has them signed: where an instance belongs to somebody else.
enum FluxSubmitter {
    /// Answers FLUX_SUBMIT: with the id of the job, or why there is none.
    static func submit(_ number: UInt64, _ wanted: Attributes, uri: String?, through engine: InProcessEngine) {
        Task {
            var answer = Attributes()
            do throws(TaskError) {
                answer[text: "job"] = try await submit(wanted[text: "jobspec"] ?? "", wanted[integer: "urgency"] ?? 16, uri)
            } catch {
                answer[text: "error"] = error.description
            }
            let attributes = answer
            engine.send { $0.append(frame: .fluxSubmitted, id: number) { attributes.write(to: &$0) } }
        }
    }

    private static func submit(_ jobspec: String, _ urgency: Int, _ uri: String?) async throws(TaskError) -> String {
        var template = Array("/tmp/swiftlet-job-XXXXXX".utf8CString)
        let file = mkstemp(&template)
        let path = String(decoding: template.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
        guard file >= 0 else { throw TaskError(.refused, "\(path) cannot be made: \(String(cString: strerror(errno)))") }
        defer { unlink(path) }
        let count = write(file, jobspec, jobspec.utf8.count)
        close(file)
        guard count == jobspec.utf8.count else { throw TaskError(.refused, "\(path) cannot be written") }
        let command = Command(
            "flux", arguments: ["job", "submit", "--urgency=\(urgency)"], environment: uri.map { ["FLUX_URI": $0] } ?? [:],
            standardInput: .file(path))
        let result = try await CommandRunner.run(command, keeping: 1 << 16)
        guard result.isSuccess else { throw TaskError(.refused, String(result.standardError.trimmingLineEnd)) }
        return String(result.standardOutput.trimmingLineEnd)
    }
}
