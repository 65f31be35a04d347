// SPDX-License-Identifier: BSD-3-Clause

/// The client's own program as guardian and workers: it may forget to become that.
public struct WorkerProgram: Sendable {
    /// As the user knows it.
    let name: String
    /// Nanoseconds from the start of a process until it enters worker mode, at most.
    let startLimit: UInt64

    public init(name: String, startLimit: UInt64) {
        self.name = name
        self.startLimit = startLimit
    }

    private static let advice = "make it a TaskProgram, or call enterWorkerModeIfAsked() first of all"

    /// Why it is none, with what to do.
    func isNone(_ reason: String) -> String {
        "the program \(name) was started as a worker, which it has to recognise, and \(reason): \(Self.advice) (a script that starts it "
            + "passes its arguments on)"
    }

    /// The same of a process of a program that is one otherwise.
    func hasEnded(_ end: String) -> String { "the program \(name) \(end) before it had entered worker mode" }

    /// The same where it is still doing something else.
    var isLate: String {
        "the program \(name) was started as a worker and has not entered worker mode within \(Double(startLimit) / 1e9) s: "
            + "\(Self.advice), before anything that takes long; or raise the configuration's startLimit"
    }
}
