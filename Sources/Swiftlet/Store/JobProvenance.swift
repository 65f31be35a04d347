// SPDX-License-Identifier: BSD-3-Clause
import Glibc
import SwiftletEngine
import SwiftletModel
import SwiftletStore

/// What outcomes say about who made them.
enum JobProvenance {
    static var user: String? { getpwuid(geteuid()).map { String(cString: $0.pointee.pw_name) } }

    private static var common: [String: HeaderValue] {
        var members: [String: HeaderValue] = [
            "host": .text(hostName()), "swiftlet": .text(productVersion), "language": .text("swift"),
            "command": .list(CommandLine.arguments.map { .text($0) }),
        ]
        members["user"] = user.map { .text($0) }
        return members
    }

    /// Of this program, as CONFIGURE carries it.
    static var ofProgram: String? { HeaderValue.members(common).json }

    /// Of a call that this job has run.
    static func ofCall(process: Int32, start: Double, end: Double, status: ProcessEnd, errors: [UInt8]) -> [String: HeaderValue] {
        var members = common
        members["pid"] = .integer(Int(process))
        members["start"] = .number(start)
        members["end"] = .number(end)
        members["duration"] = .number(end - start)
        switch status {
        case .exited(let status): members["exit_status"] = .integer(Int(status))
        case .signalled(let signal): members["signal"] = .integer(Int(signal))
        case .memoryLimit, .taken, .failed: break
        }
        if !errors.isEmpty { members["stderr"] = .text(String(decoding: errors, as: UTF8.self)) }
        members["queue_id"] = getenv("SLURM_JOB_ID").flatMap { Int(String(cString: $0)) }.map { .integer($0) }
        return members
    }
}
