// SPDX-License-Identifier: BSD-3-Clause
import Foundation
import Swiftlet
import Testing

/// Where this build's programs lie. A test runner cannot be its own worker, so tests name one of them.
let builds = URL(fileURLWithPath: CommandLine.arguments[0]).deletingLastPathComponent()
let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
let python = root.appending(path: ".venv/bin/python").path
let program = builds.appending(path: "TestProgram").path

let fresh = ExecutorConfiguration.singleNode(maxCores: 2, program: program)
let warm = ExecutorConfiguration.singleNode(maxWorkers: 2, mode: .warm, program: program)

/// Runs a program of this build to its end.
func run(_ name: String, _ arguments: String...) throws -> (status: Int32, lines: [String]) {
    let process = Process()
    process.executableURL = name.hasPrefix("/") ? URL(fileURLWithPath: name) : builds.appending(path: name)
    process.arguments = arguments
    let output = Pipe()
    process.standardOutput = output
    process.standardError = output
    try process.run()
    let bytes = output.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    return (process.terminationStatus, String(decoding: bytes, as: UTF8.self).split(separator: "\n").map(String.init))
}

/// The error of a task that must have one.
func failure<T: RemoteTask>(
    _ executor: Executor, _ task: T, resources: ResourceRequest? = nil, after others: [any SubmittedTask] = []
) async throws -> TaskError {
    switch await (try executor.submit(task, resources: resources, after: others)).result {
    case .success(let value): throw Unexpected(text: "\(T.self) returned \(value)")
    case .failure(let error): return error
    }
}

struct Unexpected: Error {
    let text: String
}

/// A new directory, removed when `body` has ended.
func withDirectory<R>(_ body: (URL) async throws -> R) async throws -> R {
    let directory = FileManager.default.temporaryDirectory.appending(path: "swiftlet-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: directory) }
    return try await body(directory)
}
