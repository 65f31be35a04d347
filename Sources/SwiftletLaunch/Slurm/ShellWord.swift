// SPDX-License-Identifier: BSD-3-Clause

/// Words for `sh`.
public enum ShellWord {
    /// The text as one word that a shell reads back exactly: as it is where that is safe, else between single quotes.
    public static func quoted(_ text: String) -> String {
        if !text.isEmpty && text.utf8.allSatisfy(isPlain) { return text }
        var quoted = "'"
        for character in text.unicodeScalars {
            if character == "'" { quoted += #"'\''"# } else { quoted.unicodeScalars.append(character) }
        }
        return quoted + "'"
    }

    private static func isPlain(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "0")...UInt8(ascii: "9"):
            true
        default: "_-./,:=@%+".utf8.contains(byte)
        }
    }
}
