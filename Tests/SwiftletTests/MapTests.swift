// SPDX-License-Identifier: BSD-3-Clause
import Swiftlet
import Testing

@testable import TestProgram

@Suite struct MapTests {
    /// Closures that are written on an actor are its own, and so is what they use: elsewhere the lazy ones stop the program.
    @Test @MainActor func tasksAreMadeOnTheActorThatIterates() async throws {
        for order in [ResultOrder.input, .completion] {
            var made = 0
            let count: @MainActor (Int) -> Int = { number in
                made += 1
                return number
            }
            let squares = try await withExecutor(warm) { executor in
                var squares: Set<Int> = []
                for try await square in executor.map((0..<5).lazy.map { count($0) }, order: order, { Square(number: count($0)) })
                {
                    squares.insert(square)
                }
                return squares
            }
            #expect(squares == [0, 1, 4, 9, 16])
            #expect(made == 10)
        }
    }

    @Test func valuesComeInTheOrderOfTheInputs() async throws {
        try await withExecutor(warm) { executor async throws in
            var squares: [Int] = []
            for try await square in executor.map(0..<500, limit: 7, { Square(number: $0) }) { squares.append(square) }
            #expect(squares == (0..<500).map { $0 * $0 })
        }
    }

    @Test func valuesComeAsTheTasksEnd() async throws {
        try await withExecutor(warm) { executor async throws in
            let tasks = [Checked(number: 11)] + (0..<9).map { Checked(number: $0) }
            var numbers: [Int] = []
            for try await (input, result) in executor.outcomes(of: tasks, order: .completion, { $0 }) {
                numbers.append(input.number)
                if case .success(let value) = result { #expect(value == input.number) } else { #expect(input.number == 11) }
            }
            #expect(Set(numbers) == Set([11] + (0..<9)))
        }
    }

    @Test func anEndlessSequenceIsSubmittedAsItIsTaken() async throws {
        try await withExecutor(warm) { executor async throws in
            var made = 0
            var taken = 0
            for try await square in executor.map(
                0..., limit: 10,
                { number in
                    made += 1
                    return Square(number: number)
                })
            {
                #expect(square == taken * taken)
                #expect(made <= taken + 10)
                taken += 1
                if taken == 100 { break }
            }
        }
    }

    @Test func theFirstErrorEndsTheSequenceAndCancelsTheRest() async throws {
        try await withExecutor(fresh) { executor async throws in
            let error = await #expect(throws: TaskError.self) {
                for try await _ in executor.map([11] + Array(0..<100), limit: 50, { Checked(number: $0) }) {}
            }
            #expect(error?.cause as? OutOfRange == OutOfRange(number: 11))
        }
    }

    @Test func aLimitBelowOneIsAnError() async throws {
        try await withExecutor(fresh) { executor async throws in
            let error = await #expect(throws: TaskError.self) {
                for try await _ in executor.map(0..<3, limit: 0, { Square(number: $0) }) {}
            }
            #expect(error?.code == .refused)
            #expect(error?.description == "limit is 0; a map needs at least 1")
        }
    }

    @Test func aCancelledLoopEnds() async throws {
        try await withExecutor(fresh) { executor async throws in
            let loop = Task {
                for try await _ in executor.map(0..<5, order: .completion, { _ in Sleeper() }) {}
            }
            loop.cancel()
            await #expect(throws: (any Error).self) { try await loop.value }
        }
    }
}
