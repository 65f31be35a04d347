// SPDX-License-Identifier: BSD-3-Clause
import Glibc
import SwiftletEngine
import SwiftletTransport
import SwiftletWire

/// The instance of Flux that the tasks of an executor run in, as it was when it was asked.
struct FluxPlace: Sendable {
    /// Its local URI; nil: the machine's own.
    let uri: String?
    /// Cores of all nodes.
    let cores: Int
    /// Cores of the largest node.
    let largestNode: Int
    let nodeCount: Int
    /// It belongs to this user: its jobs need no signature.
    let isOwned: Bool
    /// All of it is this machine.
    private let isHere: Bool
    /// At which workers connect; nil: by a socket in the file system, or there are none.
    private let address: String?

    /// Asks the instance that this program runs in (`FLUX_URI`), else the machine's own.
    /// - Parameter address: at which its nodes reach this machine; nil: found out, where workers are to connect.
    /// - Throws: ``TaskError`` (`refused`) where none can be reached, with what to do.
    static func find(address: String?, connects: Bool) async throws(TaskError) -> FluxPlace {
        let uri = try await localURI()
        let asked: Result<FluxInquiry, FluxInquiry.Failure> = await withCheckedContinuation { continuation in
            startThread {
                continuation.resume(returning: Result { () throws(FluxInquiry.Failure) in try FluxInquiry.ask(uri: uri) })
            }
        }
        let answer: FluxInquiry
        do { answer = try asked.get() } catch { throw TaskError(.refused, error.description) }
        let here = hostName()
        let isHere = answer.nodes.allSatisfy { $0.host == here || $0.host[...] == here.prefix { $0 != "." } }
        let peers = answer.nodes.map(\.host)
        let needsAddress = connects && !isHere
        return FluxPlace(
            uri: uri, cores: answer.nodes.reduce(0) { $0 + $1.cores }, largestNode: answer.nodes.map(\.cores).max() ?? 0,
            nodeCount: answer.nodes.count, isOwned: answer.isOwned, isHere: isHere,
            address: needsAddress ? try await ReachableAddress.find(address, towards: peers) : nil)
    }

    /// What is no local URI (`ssh://…`, a job's id, `..`) is resolved by the `flux` command.
    private static func localURI() async throws(TaskError) -> String? {
        guard let uri = getenv("FLUX_URI").map({ String(cString: $0) }), !uri.isEmpty else { return nil }
        if uri.hasPrefix("local://") { return uri }
        let result = try await CommandRunner.run(Command("flux", arguments: ["uri", "--local", uri]), keeping: 1 << 16)
        let found = String(result.standardOutput.trimmingLineEnd)
        guard result.isSuccess, found.hasPrefix("local://") else {
            throw TaskError(
                .refused,
                "`flux uri --local \(uri)` does not resolve FLUX_URI: \(result.standardError.trimmingLineEnd). Run this program on "
                    + "a node of that instance")
        }
        return found
    }

    /// As CONFIGURE carries it, for workers that are `program`.
    func add(to attributes: inout Attributes, program: String, build: String) throws(TaskError) {
        attributes[text: "nodes_by"] = "flux"
        attributes[list: "agent"] = [program, ProcessRole.agent]
        attributes[list: "step_worker"] = [program, ProcessRole.step, build]
        attributes[text: "listen_address"] = address
        attributes[text: "flux_directory"] = try privateDirectory()
        addInstance(to: &attributes)
    }

    /// The same where tasks are jobs.
    func addInstance(to attributes: inout Attributes) {
        attributes[text: "flux_uri"] = uri
        if !isOwned { attributes[integer: "flux_submit"] = 1 }
    }

    /// A new directory that only this user may enter; where other nodes see it, if there are some.
    private func privateDirectory() throws(TaskError) -> String {
        var parent = "/tmp"
        if !isHere, let home = getenv("HOME") {
            parent = "\(String(cString: home))/.cache"
            mkdir(parent, 0o700)
            parent += "/swiftlet"
            mkdir(parent, 0o700)
        }
        var template = Array("\(parent)/swiftlet-flux-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else {
            throw TaskError(.refused, "\(parent)/swiftlet-flux-XXXXXX cannot be made: \(String(cString: strerror(errno)))")
        }
        return String(decoding: template.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}
