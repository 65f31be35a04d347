// SPDX-License-Identifier: BSD-3-Clause

/// Where an entry is: a directory and a key below it. A `/` in the key makes sub-folders.
public struct EntryPlace: Hashable, Sendable, CustomStringConvertible {
    public var directory: String
    public var key: String

    public init(directory: String, key: String) {
        self.directory = directory
        self.key = key
    }

    public var description: String { "\(directory)/\(key)" }

    func path(_ role: EntryRole) -> String { description + role.suffix }
    var claimPath: String { description + ".claim" }

    /// The folder that holds its files.
    public var folder: String {
        guard let slash = key.lastIndex(of: "/") else { return directory }
        return "\(directory)/\(key[..<slash])"
    }
}
