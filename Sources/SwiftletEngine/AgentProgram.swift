// SPDX-License-Identifier: BSD-3-Clause
import Glibc
import SwiftletLaunch
import SwiftletTransport

/// A program as the deputy of an engine on a node: `swiftlet agent`, or a Swift program whose workers are itself.
public enum AgentProgram {
    /// Never returns.
    /// - Parameters:
    ///   - ticketFile: whose first line is its ticket; nil: that is the first line of the standard input.
    ///   - guardianArguments: arguments (argv) with which this program is a guardian.
    public static func run(ticketFile: String?, guardianArguments: [String]) -> Never {
        let file = ticketFile.map { open($0, O_RDONLY | O_CLOEXEC) } ?? 0
        guard let ticket = Ticket(line: firstLine(of: file)) else {
            let message = "swiftlet: an agent is started by its engine, which gives it a ticket\n"
            _ = write(2, message, message.utf8.count)
            exit(2)
        }
        closeStandardInput()
        AgentProcess.run(ticket: ticket, node: nodeName(), version: productVersion, guardianArguments: guardianArguments)
    }

    /// How the launcher calls this node.
    static func nodeName() -> String {
        if let name = getenv("SLURMD_NODENAME") { return String(cString: name) }
        var name = [CChar](repeating: 0, count: 256)
        gethostname(&name, 255)
        return String(decoding: name.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    /// Of a file that may be a pipe: nothing behind the line is read.
    static func firstLine(of descriptor: Int32) -> String {
        var line: [UInt8] = []
        var byte: UInt8 = 0
        while line.count < 4096, read(descriptor, &byte, 1) == 1, byte != UInt8(ascii: "\n") { line.append(byte) }
        return String(decoding: line, as: UTF8.self)
    }

    /// Nothing more is read from it, by nobody.
    static func closeStandardInput() {
        let null = open("/dev/null", O_RDONLY | O_CLOEXEC)
        dup2(null, 0)
        close(null)
    }
}
