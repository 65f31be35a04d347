// SPDX-License-Identifier: BSD-3-Clause

/// One submission: a call, or an array of calls that ask for the same.
public struct SlurmBatch: Hashable, Sendable {
    public var name: String
    /// Where the calls run.
    public var directory: String
    /// The directory for what the jobs print; see `log`.
    public var logs: String
    public var resources: SlurmResources
    /// Jobs that have to end well before this one starts.
    public var dependencies: [SlurmJobID]
    /// The program of every call, its last word the directory of the entries; the entry follows. As an element of an array it gets
    /// `--element INDEX` instead, and the entries of all on its standard input, one a line; or, in a user's template, `--elements` and
    /// the entries of all.
    public var command: [String]
    /// One for each call, without line breaks; several make an array, whose element `i` runs `entries[i]`.
    public var entries: [String]

    public init(
        name: String, directory: String, logs: String, resources: SlurmResources, dependencies: [SlurmJobID] = [],
        command: [String], entries: [String]
    ) {
        self.name = name
        self.directory = directory
        self.logs = logs
        self.resources = resources
        self.dependencies = dependencies
        self.command = command
        self.entries = entries
    }

    public var isArray: Bool { entries.count > 1 }

    /// The default script: runs on any cluster that has a default partition.
    public var script: String {
        var lines = ["#!/bin/bash"]
        lines += (identity + resources.batchOptions + relations).map { "#SBATCH \(Self.directive($0))" }
        lines += ["", body]
        return lines.joined(separator: "\n") + "\n"
    }

    /// The command line of a call, or of whatever element of an array runs it; the variable `command` of a user's template.
    public var commandLine: String { Self.line(command + (isArray ? ["--elements"] : []) + entries + step) }

    /// The program starts the ranks of an MPI call itself: it keeps their time, and says how they ended.
    private var step: [String] { resources.ranks > 1 ? ["--step"] + resources.stepCommand : [] }

    private static func line(_ words: [String]) -> String { words.map(ShellWord.quoted).joined(separator: " ") }

    private var body: String {
        var lines = ["export " + Self.threadVariables.map { "\($0)=\(resources.threads)" }.joined(separator: " ")]
        if isArray {
            // Other elements may have run all calls: then nothing has to be started to find that out.
            lines += ["mapfile -t entries <<'END OF ENTRIES'"] + entries + ["END OF ENTRIES", "left="]
            let entry = "\(ShellWord.quoted(command.last ?? ""))/\"$entry"
            lines.append("for entry in \"${entries[@]}\"; do")
            lines.append("test -e \(entry).outcome\" && ! test -e \(entry).task\" || { left=1; break; }")
            lines.append("done")
            let options = step.map { " " + ShellWord.quoted($0) }.joined()
            let element = Self.line(command) + " --element \"$SLURM_ARRAY_TASK_ID\"" + options
            lines.append("if test \"$left\"; then printf '%s\\n' \"${entries[@]}\" | \(element)")
            lines.append(Self.cancelRest)
        } else {
            lines.append(commandLine)
        }
        let number = isArray ? "${SLURM_ARRAY_JOB_ID}_$SLURM_ARRAY_TASK_ID" : "$SLURM_JOB_ID"
        // Who said nothing leaves no file.
        lines += [
            "status=$?", "log=\(ShellWord.quoted(logs))\"/slurm-\(number).out\"", "test -s \"$log\" || rm -f \"$log\"",
            "exit $status",
        ]
        return lines.joined(separator: "\n")
    }

    /// What an element does that finds all calls done. Their program may be gone: nobody else takes the rest of the array out of
    /// the queue. Jobs that depend on it want it to end well.
    private static let cancelRest = """
        else { waited=$(squeue --noheader --user="$(id -u)" --format=%E) && case $waited in
        *:"$SLURM_ARRAY_JOB_ID"[_\\(]*) ;;
        *) scancel --state=PENDING "$SLURM_ARRAY_JOB_ID" ;;
        esac; true; } 2>/dev/null; fi
        """

    /// Options for the command line of sbatch, where the script is a user's: they hold whatever the script says.
    public var overrides: [String] {
        relations.map { option in "--\(option.name)" + (option.value.map { "=\($0)" } ?? "") }
    }

    /// The file with what a job printed.
    public func log(of id: SlurmJobID) -> String { "\(logs)/slurm-\(id).out" }

    private var identity: [SlurmResources.Option] {
        [
            .init("job-name", name),
            .init("chdir", directory),
            .init("output", Self.withoutPatterns(logs) + (isArray ? "/slurm-%A_%a.out" : "/slurm-%j.out")),
            .init("open-mode", "append"),
        ]
    }

    private var relations: [SlurmResources.Option] {
        var found: [SlurmResources.Option] = []
        if isArray { found.append(.init("array", "0-\(entries.count - 1)")) }
        if !dependencies.isEmpty {
            found.append(.init("dependency", "afterok:" + dependencies.map(\.description).joined(separator: ":")))
            found.append(.init("kill-on-invalid-dep", "yes"))
        }
        return found
    }

    /// As sbatch reads it from a script: it splits at blanks and understands quotes and backslashes.
    static func directive(_ option: SlurmResources.Option) -> String {
        guard let value = option.value else { return "--\(option.name)" }
        let isPlain = value.utf8.allSatisfy { byte in !"\"'\\ \t#".utf8.contains(byte) }
        if isPlain { return "--\(option.name)=\(value)" }
        var escaped = ""
        for character in value { escaped += character == "\"" || character == "\\" ? "\\\(character)" : "\(character)" }
        return "--\(option.name)=\"\(escaped)\""
    }

    /// A path in which sbatch replaces nothing.
    static func withoutPatterns(_ path: String) -> String {
        path.map { $0 == "%" ? "%%" : "\($0)" }.joined()
    }

    private static let threadVariables = [
        "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS", "VECLIB_MAXIMUM_THREADS",
    ]
}
