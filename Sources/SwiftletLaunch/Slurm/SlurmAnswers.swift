// SPDX-License-Identifier: BSD-3-Clause
import SwiftletModel

/// Reads what Slurm's commands print. Lines that are not understood are left out: banners of a site, new kinds of rows.
public enum SlurmAnswers {
    /// `sbatch --parsable`: `17`, or `17;cluster`, in the last line (a site's plugin may say something before).
    public static func submittedJob(_ text: String) -> UInt32? {
        guard let line = text.split(separator: "\n").last, let word = line.split(separator: ";").first else { return nil }
        return UInt32(word.trimmed)
    }

    /// `SlurmCommands.queue`: fields of fixed width, the exit code as wait(2) gives it.
    public static func queue(_ text: String) -> [SlurmJobReport] {
        text.split(separator: "\n").compactMap { line in
            let fields = split(line, widths: SlurmCommands.queueFields.map(\.width))
            guard let id = SlurmJobID(fields[0]) else { return nil }
            let state = SlurmJobState(fields[1])
            let status = Int32(fields[3]).map { ProcessEnd(waitStatus: $0) }
            return SlurmJobReport(
                id: id, state: state, reason: known(fields[2]), end: state.hasEnded ? status : nil, nodes: known(fields[4]))
        }
    }

    /// `SlurmCommands.history`: fields between bars, the exit code as `status:signal`.
    public static func history(_ text: String) -> [SlurmJobReport] {
        text.split(separator: "\n").compactMap { line in
            let fields = line.split(separator: "|", omittingEmptySubsequences: false)
            guard fields.count >= 5, let id = SlurmJobID(fields[0]) else { return nil }
            let state = SlurmJobState(fields[1])
            return SlurmJobReport(
                id: id, state: state, reason: known(fields[4]), end: state.hasEnded ? end(fields[2]) : nil,
                nodes: known(fields[3]))
        }
    }

    /// `SlurmCommands.ends`: a job, and when its time is over in seconds since 1970. Jobs without a limit are left out.
    public static func ends(_ text: String) -> [SlurmJobID: Int] {
        var found: [SlurmJobID: Int] = [:]
        for line in text.split(separator: "\n") {
            let words = line.split(separator: " ")
            if words.count == 2, let id = SlurmJobID(words[0]), let time = Int(words[1]), time > 0 { found[id] = time }
        }
        return found
    }

    /// Whether the answer to `SlurmCommands.present` leaves it possible that something of them is still there. For a single array
    /// of which nothing is left, squeue fails with "Invalid job id specified"; where it fails otherwise, nothing is known.
    public static func mayBePresent(_ answer: CommandResult) -> Bool {
        answer.succeeded ? !answer.output.isEmpty : !answer.errors.contains("Invalid job id")
    }

    /// `status:signal`
    static func end(_ text: some StringProtocol) -> ProcessEnd? {
        let numbers = text.split(separator: ":").compactMap { Int32($0) }
        guard numbers.count == 2 else { return nil }
        return numbers[1] == 0 ? .exited(status: numbers[0]) : .signalled(numbers[1] & 0x7f)
    }

    /// The `Key=value` pairs of one line of `scontrol show … --oneliner`. Values may hold blanks: a key is a word before `=` that
    /// begins with a capital letter.
    public static func pairs(_ line: some StringProtocol) -> [String: String] {
        var found: [String: String] = [:]
        var key: Substring?
        for word in line.split(separator: " ") {
            let parts = word.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            if parts.count == 2, let first = parts[0].first, first.isASCII, first.isUppercase {
                key = Substring(parts[0])
                found[String(parts[0])] = String(parts[1])
            } else if let key {
                found[String(key), default: ""] += " " + word
            }
        }
        return found
    }

    private static func split(_ line: Substring, widths: [Int]) -> [Substring] {
        var rest = line
        return widths.map { width in
            let field = rest.prefix(width)
            rest = rest.dropFirst(width)
            return field.trimmed
        }
    }

    /// Without Slurm's words for "nothing".
    private static func known(_ field: Substring) -> String {
        ["None", "(null)", "None assigned", "n/a", "N/A"].contains(field) ? "" : String(field)
    }
}

extension Substring {
    /// Without blanks at either end.
    var trimmed: Substring {
        var text = self
        while text.first == " " { text = text.dropFirst() }
        while text.last == " " { text = text.dropLast() }
        return text
    }
}
