// SPDX-License-Identifier: BSD-3-Clause
import SwiftletCluster

/// Gathers the answers to the submissions of one batch, where a system takes its calls one by one.
final class JobAnswers {
    private var answers: [Result<JobID, JobRefusal>?]
    private var open: Int
    private let then: (Result<[JobID], JobRefusal>, _ taken: [JobID]) -> Void

    /// - Parameter then: called once, with the jobs of all calls in their order, or with why there are not all, and which there are.
    init(count: Int, then: @escaping (Result<[JobID], JobRefusal>, _ taken: [JobID]) -> Void) {
        answers = Array(repeating: nil, count: count)
        open = count
        self.then = then
    }

    func put(_ answer: Result<JobID, JobRefusal>, at index: Int) {
        guard answers[index] == nil else { return }
        answers[index] = answer
        open -= 1
        guard open == 0 else { return }
        var taken: [JobID] = []
        var refusals: [JobRefusal] = []
        for case let answer? in answers {
            switch answer {
            case .success(let job): taken.append(job)
            case .failure(let refusal): refusals.append(refusal)
            }
        }
        // What will not change says more than what may.
        let worst = refusals.first { !$0.isTemporary } ?? refusals.first
        then(worst.map { .failure($0) } ?? .success(taken), taken)
    }
}
