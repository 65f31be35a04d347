// SPDX-License-Identifier: BSD-3-Clause

/// What a site allows, as far as it says so.
public struct SlurmLimits: Hashable, Sendable {
    /// Elements of one array.
    public var arraySize: Int
    /// Jobs of this user that may be pending or running at once; array elements count one by one. Nil: not limited.
    public var submittedJobs: Int?

    /// How ranks find each other where nobody says it, a word of `srun --mpi=list`; nil: they do not.
    public var mpi: String?

    public init(arraySize: Int = 1000, submittedJobs: Int? = nil, mpi: String? = nil) {
        self.mpi = mpi
        self.arraySize = arraySize
        self.submittedJobs = submittedJobs
    }

    /// - Parameters:
    ///   - configuration: `scontrol show config`. `MaxArraySize` is one more than the largest index; `MaxJobCount` is shared by all users.
    ///   - associations: `SlurmCommands.limits`, empty where the site has no accounting.
    public init(configuration: String, associations: String) {
        let arrayTasks = "max_array_tasks="
        var values: [String: Int] = [:]
        mpi = nil
        for line in configuration.split(separator: "\n") {
            let parts = line.split(separator: "=", maxSplits: 1)
            if parts.count == 2, parts[0].trimmed == "MpiDefault" {
                mpi = parts[1].trimmed == "none" ? nil : String(parts[1].trimmed)
            }
            if parts.count == 2, parts[0].trimmed == "SchedulerParameters" {
                let words = parts[1].split { $0 == "," || $0 == " " }.filter { $0.hasPrefix(arrayTasks) }
                values[arrayTasks] = words.last.flatMap { Int($0.dropFirst(arrayTasks.utf8.count)) }
            }
            if parts.count == 2, let number = Int(parts[1].trimmed) { values[String(parts[0].trimmed)] = number }
        }
        let submitted = associations.split(separator: "\n").flatMap { $0.split(separator: "|") }.compactMap { Int($0) }
        // An array of one element is still possible where arrays are switched off: it is not made one.
        arraySize = max(1, min((values["MaxArraySize"] ?? 1001) - 1, values[arrayTasks] ?? .max))
        submittedJobs = (submitted + [values["MaxJobCount"]].compactMap { $0 }).filter { $0 > 0 }.min()
    }
}
