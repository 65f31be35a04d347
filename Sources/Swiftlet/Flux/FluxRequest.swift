// SPDX-License-Identifier: BSD-3-Clause
import SwiftletWire

/// What a task may ask of Flux.
enum FluxRequest {
    /// The options that a job may have, beside what ``ResourceRequest`` has words for.
    static let jobOptions = ["queue", "bank"]

    /// - Throws: ``TaskError`` (`refused`) for what Flux does not give.
    static func check(_ resources: ResourceRequest, options: [String]) throws(TaskError) {
        let isLaunched = resources.cores > 1 && (resources.usesMPI || resources.nodes ?? 1 > 1)
        if resources.isStep || resources.isExclusive || isLaunched || options != [] { try refuseMemory(of: resources) }
        for argument in resources.launcherArguments where !options.contains(where: { argument.hasPrefix("--\($0)=") }) {
            let known = options.map { "--\($0)=…" }.joined(separator: " and ")
            throw TaskError(
                .refused,
                "launcherArguments has \(argument); "
                    + (options.isEmpty ? "there are none for tasks in a Flux instance" : "for jobs of Flux there are \(known)"))
        }
    }

    /// For a task that is a job of its own.
    static func refuseMemory(of resources: ResourceRequest) throws(TaskError) {
        guard let memory = resources.memory else { return }
        throw TaskError(.refused, "memory is \(memory) bytes, but a job of Flux has no limit of memory")
    }

    static func addOptions(of resources: ResourceRequest, to attributes: inout Attributes) {
        for argument in resources.launcherArguments {
            for option in jobOptions where argument.hasPrefix("--\(option)=") {
                attributes[text: option] = String(argument.dropFirst(option.utf8.count + 3))
            }
        }
    }
}

extension ExecutorPlan {
    /// - Throws: ``TaskError`` (`refused`) for what an external program cannot have here.
    func check(_ command: Command, _ resources: ResourceRequest) throws(TaskError) {
        guard flux != nil, resources.cores > 1 || resources.isStep || resources.isExclusive else { return }
        try FluxRequest.refuseMemory(of: resources)
        if case .bytes = command.standardInput {
            throw TaskError(
                .refused, "the standard input of a program that is a job of Flux comes from a file: standardInput: .file(…)")
        }
    }
}
