// SPDX-License-Identifier: BSD-3-Clause
import CSwiftlet
import Glibc

/// The name of this machine.
func hostName() -> String {
    var name = utsname()
    guard uname(&name) == 0 else { return "localhost" }
    return withUnsafeBytes(of: name.nodename) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
}

/// The environment of this process, `K=V` each.
func environmentVariables() -> [String] {
    var variables: [String] = []
    var next = environ
    while let variable = next.pointee {
        variables.append(String(cString: variable))
        next += 1
    }
    return variables
}

/// The directory this process is in.
func currentDirectory() -> String? {
    guard let path = getcwd(nil, 0) else { return nil }
    defer { free(path) }
    return String(cString: path)
}

/// A directory as it is meant here and now: what uses it may be elsewhere by then.
/// - Throws: ``TaskError`` (`refused`) where it is relative and the directory of this process was removed.
func absoluteDirectory(_ path: String?) throws(TaskError) -> String? {
    guard let path, !path.hasPrefix("/") else { return path }
    guard let current = currentDirectory() else {
        throw TaskError(.refused, "workingDirectory is \(path), but the directory that this program is in was removed")
    }
    return current.hasSuffix("/") ? current + path : "\(current)/\(path)"
}

/// How many cores this process may use.
func availableCores() -> Int { Int(max(1, sl_available_cores())) }
