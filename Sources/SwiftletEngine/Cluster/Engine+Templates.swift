// SPDX-License-Identifier: BSD-3-Clause
import SwiftletCluster
import SwiftletLaunch
import SwiftletModel
import SwiftletTransport
import SwiftletWire

/// What only the engine knows of the variables of a user's template.
func templateVariables(command: String, name: String, directory: String, dependencies: [String]) -> Attributes {
    var variables = Attributes()
    variables[text: "command"] = command
    variables[text: "job_name"] = name
    variables[text: "working_directory"] = directory
    variables[list: "dependencies"] = dependencies
    return variables
}

/// A script for humans, with the command that submits it.
func shown(_ script: String, submittedBy command: [String]) -> String {
    script + (script.hasSuffix("\n") ? "" : "\n")
        + "# submitted by: \(command.map(ShellWord.quoted).joined(separator: " "))\n"
}

extension Engine {
    /// Has the client make a script of the template that came with a request. The engine knows no template language.
    /// - Parameter variables: what only the engine knows; the client adds the call's resources.
    func render(
        _ variables: Attributes, request: RequestID, answer: @escaping (Result<String, JobRefusal>) -> Void
    ) {
        guard !client.link.isClosed else {
            return answer(.failure(JobRefusal(reason: "the client has left, which alone knows its template", isTemporary: true)))
        }
        lastRendering += 1
        renderings[lastRendering] = answer
        var attributes = variables
        attributes[integer: "request"] = Int(request.rawValue)
        client.link.send(.render, id: lastRendering) { attributes.write(to: &$0) }
    }

    /// The script, or (flag 1) why there is none.
    func rendered(_ header: FrameHeader, _ reader: inout ByteReader) throws(WireError) {
        guard let answer = renderings.removeValue(forKey: header.id) else {
            throw WireError("RENDERED \(header.id) was not asked for")
        }
        let text = try reader.text(UInt64(reader.remaining))
        answer(header.flags & 1 == 0 ? .success(text) : .failure(JobRefusal(reason: text)))
    }
}
