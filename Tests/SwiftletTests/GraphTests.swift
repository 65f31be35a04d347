// SPDX-License-Identifier: BSD-3-Clause
import Swiftlet
import Testing

@testable import TestProgram

@Suite struct GraphTests {
    @Test(arguments: [fresh, warm]) func handlesAreInputsOfOtherTasks(_ configuration: ExecutorConfiguration) async throws {
        try await withExecutor(configuration) { executor async throws in
            let squares = try (1...4).map { try executor.submit(Square(number: $0)) }
            let note = try executor.submit(Generic(value: "x"))
            let total = try executor.submit(Total(parts: squares.map { Input($0) } + [Input(100), Input(squares[0])]))
            #expect(try await total.value == "sum 131")
            #expect(try await note.value == ["x", "x"])
        }
    }

    @Test func aFailedInputIsTheCause() async throws {
        try await withExecutor(warm) { executor async throws in
            let bad = try executor.submit(Checked(number: 11))
            let error = try await failure(executor, Total(parts: [Input(bad), Input(1)]))
            #expect(error.code == .inputFailed)
            #expect(error.cause as? OutOfRange == OutOfRange(number: 11))
        }
    }

    @Test(arguments: [fresh, warm]) func howAnInputWasLostIsSaid(_ configuration: ExecutorConfiguration) async throws {
        try await withExecutor(configuration) { executor async throws in
            let limit = ResourceRequest(timeLimit: .milliseconds(100))
            for (input, text) in [
                (try executor.submit(Crash(way: .exit(3))), "the worker that ran the task exited with status 3"),
                (try executor.submit(Sleeper(), resources: limit), "the task ran longer than its limit of 0.1 s"),
            ] {
                let next = try executor.submit(Total(parts: [Input(input)]))
                let error = try await failure(executor, Square(number: 1), after: [next])
                #expect(error.code == .inputFailed)
                #expect(error.description == "an input has no value: \(text)")
                #expect(error.cause == nil)
            }
        }
    }

    @Test func anInputOfAnotherExecutorIsRefused() async throws {
        try await withExecutor(warm) { one async throws in
            let foreign = try one.submit(Square(number: 1))
            try await withExecutor(warm) { two async throws in
                let error = try #require(throws: TaskError.self) { try two.submit(Total(parts: [Input(foreign)])) }
                #expect(error.code == .refused)
                #expect(error.description.contains("another executor"))
            }
        }
    }

    @Test func cancellingAnInputCancelsWhatNeedsIt() async throws {
        try await withExecutor(fresh) { executor async throws in
            let sleeper = try executor.submit(Sleeper())
            let total = try executor.submit(Total(parts: [Input(sleeper)]))
            sleeper.cancel()
            guard case .failure(let error) = await total.result else { throw Unexpected(text: "it has a value") }
            #expect(error.code == .cancelled)
        }
    }
}
