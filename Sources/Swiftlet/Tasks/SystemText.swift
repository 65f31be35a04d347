// SPDX-License-Identifier: BSD-3-Clause

/// Text that the system is given: it ends at its first zero byte, and nobody would see that it was cut.
enum SystemText {
    /// - Parameter name: what the text is, in an error's words.
    /// - Throws: ``TaskError`` (`refused`) where it contains a zero byte.
    static func check(_ text: String?, _ name: @autoclosure () -> String) throws(TaskError) {
        guard let text, text.utf8.contains(0) else { return }
        throw TaskError(.refused, "\(name()) contains a zero byte")
    }

    /// Environment variables.
    /// - Parameter owner: whose they are, in an error's words.
    static func check(_ environment: [String: String], of owner: String) throws(TaskError) {
        for (key, value) in environment {
            if key.isEmpty || key.contains("=") || key.utf8.contains(0) {
                throw TaskError(.refused, "\"\(key)\" is no name of an environment variable")
            }
            try check(value, "the environment variable \(key) of \(owner)")
        }
    }
}
