// SPDX-License-Identifier: BSD-3-Clause
import Glibc

/// The directory of a task, for as long as it runs.
struct WorkingDirectory {
    private let before: Int32

    /// - Throws: ``TaskError`` (`refused`) where it cannot be entered.
    init(enter path: [UInt8]) throws(TaskError) {
        let path = String(decoding: path, as: UTF8.self)
        before = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard chdir(path) == 0 else {
            let reason = String(cString: strerror(errno))
            close(before)
            throw TaskError(.refused, "the working directory \(path) cannot be entered: \(reason)")
        }
    }

    func leave() {
        _ = fchdir(before)
        close(before)
    }
}
