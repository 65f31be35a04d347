// SPDX-License-Identifier: BSD-3-Clause
import Foundation
import Swiftlet
import Testing

@testable import TestProgram

/// Calls of Python functions. They need the repository's Python environment (scripts/setup makes it).
@Suite(.enabled(if: FileManager.default.isExecutableFile(atPath: python), "scripts/venv has made no .venv"))
struct PythonTests {
    private func configuration(_ base: ExecutorConfiguration) -> ExecutorConfiguration {
        var configuration = base
        configuration.environment = ["SWIFTLET_PYTHON": python, "PYTHONPATH": root.appending(path: "python").path]
        return configuration
    }

    @Test(arguments: [fresh, warm]) func aFunctionIsFoundByModuleAndName(_ base: ExecutorConfiguration) async throws {
        try await withExecutor(configuration(base)) { executor async throws in
            #expect(try await executor.run(PythonCall<Double>("math", "hypot", 3.0, 4)) == 5)
            #expect(
                try await executor.run(PythonCall<[Int]>("builtins", "sorted", [3, 1, 2], keywords: ["reverse": true])) == [
                    3, 2, 1,
                ])
            #expect(try await executor.run(PythonCall<String>("builtins", "str.upper", "grüße")) == "GRÜSSE")
            #expect(try await executor.run(PythonCall<[UInt8]>("builtins", "bytes", [UInt8]([0, 255]))) == [0, 255])
            #expect(try await executor.run(PythonCall<Int?>("builtins", "print", "printed")) == nil)
        }
    }

    @Test func arraysOfNumbersArriveAsMemory() async throws {
        try await withExecutor(configuration(warm)) { executor async throws in
            let numbers = (0..<100_000).map(Double.init)
            let doubled = try await executor.run(PythonCall<[Double]>("numpy", "multiply", numbers, 2.0))
            #expect(doubled.count == 100_000)
            #expect(doubled.last == 199_998)
            #expect(try await executor.run(PythonCall<[[Int]]>("numpy", "outer", [1, 2], [3, 4])) == [[3, 4], [6, 8]])
        }
    }

    @Test func tasksOfBothLanguagesAndProgramsAreOneGraph() async throws {
        try await withExecutor(configuration(fresh)) { executor async throws in
            let square = try executor.submit(Square(number: 5))
            let root = try executor.submit(PythonCall<Double>("math", "sqrt", Input(square)))
            let text = try executor.submit(PythonCall<String>("builtins", "repr", Input(root)))
            #expect(try await text.value == "5.0")
        }
    }

    @Test func whatAFunctionRaisesIsTheCause() async throws {
        try await withExecutor(configuration(warm)) { executor async throws in
            let error = try await failure(executor, PythonCall<Double>("math", "sqrt", -1.0))
            #expect(error.code == .failed)
            let cause = try #require(error.cause as? PythonError)
            #expect(cause.type == "ValueError")
            #expect(cause.traceback.contains("math domain error"))
            #expect(try await failure(executor, PythonCall<Int>("no_such_module", "f")).description.contains("no_such_module"))
            #expect(
                try await failure(executor, PythonCall<Int>("math", "no_such_function")).description.contains("AttributeError"))
            #expect(
                try await failure(executor, PythonCall<Int>("builtins", "object")).description.contains(
                    "cannot be passed to Swift"))
            #expect(try await failure(executor, PythonCall<Int>("builtins", "str", 1)).code == .undecodable)
            #expect(try await failure(executor, PythonCall<Int>("sys", "exit", 3)).description == "SystemExit: 3")
        }
    }

    @Test func aPythonProcessThatDiesFailsItsOwnCallOnly() async throws {
        try await withExecutor(configuration(warm)) { executor async throws in
            let error = try await failure(executor, PythonCall<Int>("os", "abort"))
            #expect(error.code == .lost)
            #expect(error.description == "the Python process was ended by signal 6 (SIGABRT)")
            let exited = try await failure(executor, PythonCall<Int>("os", "_exit", 5))
            #expect(exited.description == "the Python process exited with status 5")
            #expect(try await executor.run(PythonCall<Double>("math", "sqrt", 4.0)) == 2)
        }
    }

    @Test func anInterpreterThatIsNotThereIsNamed() async throws {
        var configuration = warm
        configuration.environment = ["SWIFTLET_PYTHON": "no-such-python"]
        let error = try await withExecutor(configuration) { try await failure($0, PythonCall<Double>("math", "sqrt", 4.0)) }
        #expect(error.code == .refused)
        #expect(error.description == "cannot start no-such-python: not found in PATH")
    }
}
