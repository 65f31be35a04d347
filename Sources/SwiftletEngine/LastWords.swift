// SPDX-License-Identifier: BSD-3-Clause

extension String {
    /// How something ended, with the last that it said, which is its own explanation; where it said nothing, alone.
    func withLastWords(_ words: String) -> String { words.isEmpty ? self : "\(self); the last it said:\n\(words)" }
}
