// SPDX-License-Identifier: BSD-3-Clause
import Glibc
public import SwiftletTransport

/// An agent that is a job of a batch system, as its command line says:
/// `agent --tickets DIRECTORY (NAME | --element INDEX) [--step COMMAND…]`. As an element of an array it finds the names of all on its
/// standard input, one a line.
public struct AgentJob: Sendable {
    /// Its place in the engine's inventory: the ticket's name up to the last point.
    public let place: String
    /// What starts several ranks inside the job.
    public let step: [String]
    private let path: String

    /// - Parameters:
    ///   - arguments: what follows `agent`.
    ///   - input: reads the standard input.
    public init?(_ arguments: [String], input: () -> String) {
        var words = arguments[...]
        var step: [String] = []
        if let start = words.firstIndex(of: "--step") {
            step = Array(words[(start + 1)...])
            words = words[..<start]
        }
        guard words.count >= 3, words.first == "--tickets" else { return nil }
        let directory = words[words.startIndex + 1]
        var name = words[words.startIndex + 2]
        if name == "--element" {
            let names = input().split(separator: "\n").map(String.init)
            guard words.count == 4, let index = Int(words[words.startIndex + 3]), names.indices.contains(index) else {
                return nil
            }
            name = names[index]
        }
        guard let point = name.lastIndex(of: ".") else { return nil }
        place = String(name[..<point])
        path = "\(directory)/\(name)"
        self.step = step
    }

    /// The ticket, which is good for one agent: its file is removed. nil where there is none.
    public func takeTicket() -> Ticket? {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW)
        guard descriptor >= 0 else {
            let message =
                "swiftlet: there is no ticket \(path) for this worker: nobody wants it any more, or this node does not see the "
                + "directory\n"
            _ = write(2, message, message.utf8.count)
            return nil
        }
        defer { close(descriptor) }
        unlink(path)
        return Ticket(line: readText(descriptor))
    }
}

/// All that a descriptor has to say.
public func readText(_ descriptor: Int32) -> String {
    var bytes: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 4096)
    while true {
        let count = read(descriptor, &chunk, chunk.count)
        if count < 0 && errno == EINTR { continue }
        guard count > 0 else { return String(decoding: bytes, as: UTF8.self) }
        bytes += chunk[..<count]
    }
}
