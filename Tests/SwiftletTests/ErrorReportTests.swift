// SPDX-License-Identifier: BSD-3-Clause
import Testing

@testable import Swiftlet

/// What is passed on of an error whose causes are errors of tasks.
@Suite struct ErrorReportTests {
    struct Leaf: Error, Codable, Equatable { let text: String }

    /// As the submitter sees it: the error that was thrown, and those that caused it.
    private func passed(_ error: TaskError) throws -> [any Error] {
        let report = try TaskCoding.decode(ErrorReport.self, TaskCoding.encode(ErrorReport(error)))
        var errors: [any Error] = []
        var next = report.cause
        while let error = next {
            errors.append(error)
            next = (error as? TaskError)?.cause
        }
        return errors
    }

    private func chain(of count: Int, over leaf: Leaf, output: String = "") -> TaskError {
        func details(_ cause: any Error, _ type: String) -> TaskError.Details {
            var details = TaskError.Details()
            (details.cause, details.causeType, details.attempt, details.errorOutput) = (cause, type, 1, output)
            return details
        }
        var error = TaskError(.failed, "1", details(leaf, "Leaf"))
        for number in 2..<(count + 1) { error = TaskError(.lost, "\(number)", details(error, "TaskError")) }
        return error
    }

    @Test func allOfAShortChain() throws {
        let errors = try passed(chain(of: 16, over: Leaf(text: "why")))
        #expect(errors.count == 17 && errors.last as? Leaf == Leaf(text: "why"))
        #expect(errors.dropLast().map { "\($0)" } == (1...16).reversed().map { "\($0)" })
        #expect((errors.first as? TaskError)?.code == .lost && (errors[15] as? TaskError)?.code == .failed)
    }

    @Test(arguments: [(count: 40, output: 0, left: 16), (count: 10, output: 20_000, left: 3)])
    func theBeginningOfALongOne(_ long: (count: Int, output: Int, left: Int)) throws {
        let output = String(repeating: "x", count: long.output)
        let errors = try passed(chain(of: long.count, over: Leaf(text: "why"), output: output))
        #expect(errors.count == long.left)
        let last = try #require(errors.last as? TaskError)
        #expect(last.cause == nil && last.causeType == "TaskError")
        #expect(last.description == "\(long.count - long.left + 1)")
    }

    @Test func aLargeCauseIsNamed() throws {
        let errors = try passed(chain(of: 2, over: Leaf(text: String(repeating: "x", count: 70_000))))
        #expect(errors.count == 2)
        #expect((errors.last as? TaskError)?.causeType == "Leaf")
    }

    @Test func whatSaysNoMoreIsNoCause() throws {
        #expect(try passed(TaskError(.refused, "it cannot")).isEmpty)
    }
}
