// SPDX-License-Identifier: BSD-3-Clause

/// Slurm's command lines, as data.
public enum SlurmCommands {
    /// Submits the script on its standard input; prints the job's number.
    public static func submit(options: [String]) -> [String] { ["sbatch", "--parsable"] + options }

    /// All jobs of a user that Slurm has not forgotten, those that have ended (`MinJobAge`, mostly five minutes) included, array
    /// elements one by one: one question answers for every task of every executor.
    public static func queue(user: UInt32) -> [String] {
        [
            "squeue", "--noheader", "--array", "--states=all", "--user=\(user)",
            "--Format=" + queueFields.map { "\($0.name):\($0.width)" }.joined(separator: ","),
        ]
    }

    /// Fields of `queue`. Their widths are fixed, there is no separator in old versions.
    static let queueFields: [(name: String, width: Int)] = [
        ("JobArrayID", 24), ("State", 18), ("Reason", 40), ("exit_code", 12), ("NodeList", 80),
    ]

    /// When running jobs have to end; see `SlurmAnswers.ends`. (The time left, `%L`, knows whole minutes alone.)
    public static func ends(of jobs: [SlurmJobID]) -> [String] {
        ["squeue", "--noheader", "--array", "--jobs=" + jobs.map(\.description).joined(separator: ","), "--format=%i %e"]
    }

    /// The environment of `ends`: times as seconds since 1970.
    public static func environmentOfEnds(_ inherited: [String]) -> [String] {
        environment(inherited) + ["SLURM_TIME_FORMAT=%s"]
    }

    /// Jobs that squeue has forgotten, from the site's accounting.
    public static func history(_ jobs: [UInt32]) -> [String] {
        [
            "sacct", "--allocations", "--parsable2", "--noheader", "--format=JobID,State,ExitCode,NodeList,Reason",
            "--jobs=" + jobs.map(String.init).joined(separator: ","),
        ]
    }

    public static func cancel(_ jobs: [SlurmJobID]) -> [String] { ["scancel", "--"] + jobs.map(\.description) }

    /// Takes the elements of an array that have not started out of the queue.
    public static func cancelWaiting(_ array: UInt32) -> [String] { ["scancel", "--state=PENDING", "--", "\(array)"] }

    /// A line for whatever waits, runs or is ending of these arrays; none when they are gone.
    public static func present(_ arrays: [UInt32]) -> [String] {
        ["squeue", "--noheader", "--jobs=" + arrays.map(String.init).joined(separator: ","), "--format=%i"]
    }

    public static let configuration = ["scontrol", "show", "config"]

    /// Limits on submitted jobs of a user's associations, if the site keeps them.
    public static func limits(user: String) -> [String] {
        [
            "sacctmgr", "--noheader", "--parsable2", "--readonly", "show", "association", "where", "user=\(user)",
            "format=MaxSubmitJobs,GrpSubmitJobs",
        ]
    }

    /// The environment of a Slurm command. The client may itself run in a job: what that says of its job must not speak for
    /// another one, nor may the user's taste in output formats reach the parsers. `SBATCH_…` variables for options that the
    /// script sets would win over it.
    public static func environment(_ inherited: [String], setting options: [SlurmResources.Option] = []) -> [String] {
        let set = Set(options.compactMap { inputVariables[$0.name] })
        return inherited.filter { entry in
            let name = String(entry.prefix { $0 != "=" })
            if keptVariables.contains(name) { return true }
            if name.hasPrefix("SBATCH_") { return !set.contains(name) && !neverInherited.contains(name) }
            return !["SLURM_", "SLURMD_", "SRUN_", "SQUEUE_", "SACCT_", "SCANCEL_", "SCONTROL_"].contains { name.hasPrefix($0) }
        }
    }

    private static let keptVariables: Set<String> = ["SLURM_CONF", "SLURM_CLUSTERS", "SLURM_JWT"]
    private static let neverInherited: Set<String> = [
        "SBATCH_WAIT", "SBATCH_ARRAY_INX", "SBATCH_JOB_NAME", "SBATCH_OUTPUT", "SBATCH_ERROR", "SBATCH_OPEN_MODE",
        "SBATCH_DEPENDENCY",
    ]
    private static let inputVariables = [
        "account": "SBATCH_ACCOUNT", "exclusive": "SBATCH_EXCLUSIVE", "gpus-per-task": "SBATCH_GPUS_PER_TASK",
        "mem": "SBATCH_MEM_PER_NODE", "partition": "SBATCH_PARTITION", "qos": "SBATCH_QOS", "time": "SBATCH_TIMELIMIT",
    ]
}
