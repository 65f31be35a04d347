// SPDX-License-Identifier: BSD-3-Clause
import Testing

@testable import SwiftletLaunch

/// Scripts and command lines as they are handed to Slurm.
@Suite struct SlurmBatchTests {
    private let call = SlurmBatch(
        name: "sum", directory: "/data/run 1", logs: "/data/100%", resources: SlurmResources(),
        command: ["/opt/my python/bin/python", "-m", "job"], entries: ["/data/sum-1"])

    @Test func aSerialCallOnADefaultPartition() {
        #expect(
            call.script == """
                #!/bin/bash
                #SBATCH --job-name=sum
                #SBATCH --chdir="/data/run 1"
                #SBATCH --output=/data/100%%/slurm-%j.out
                #SBATCH --open-mode=append
                #SBATCH --ntasks=1
                #SBATCH --cpus-per-task=1

                export OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 MKL_NUM_THREADS=1 NUMEXPR_NUM_THREADS=1 VECLIB_MAXIMUM_THREADS=1
                '/opt/my python/bin/python' -m job /data/sum-1
                status=$?
                log=/data/100%"/slurm-$SLURM_JOB_ID.out"
                test -s "$log" || rm -f "$log"
                exit $status

                """)
        #expect(call.log(of: SlurmJobID(17)) == "/data/100%/slurm-17.out")
    }

    @Test func everyResourceHasItsDirective() {
        var batch = call
        batch.resources.ranks = 4
        batch.resources.threads = 2
        batch.resources.gpus = 1
        batch.resources.nodes = 2
        batch.resources.exclusive = true
        batch.resources.memory = 3_000_000_000
        batch.resources.timeLimit = 250_000_000_000
        batch.resources.priority = 100
        batch.resources.mpi = "pmix"
        batch.resources.oversubscribe = true
        batch.resources.options = [.init("partition", "debug"), .init("comment", #"say "hi""#), .init(parsing: "requeue")]
        batch.dependencies = [SlurmJobID(7), SlurmJobID(9, element: 3)]
        let lines = batch.script.split(separator: "\n").filter { $0.hasPrefix("#SBATCH") }.dropFirst(4)
        #expect(
            lines.map { String($0.dropFirst("#SBATCH ".count)) } == [
                "--ntasks=4", "--cpus-per-task=2", "--gpus-per-task=1", "--nodes=2", "--exclusive", "--mem=2862M", "--time=6",
                "--priority=100",
                "--partition=debug", #"--comment="say \"hi\"""#, "--requeue", "--dependency=afterok:7:9_3",
                "--kill-on-invalid-dep=yes",
            ])
        #expect(
            batch.commandLine == """
                '/opt/my python/bin/python' -m job /data/sum-1 --step srun --kill-on-bad-exit=1 --ntasks=4 --cpus-per-task=2 --gpus-per-task=1 --nodes=2 \
                --exact --oversubscribe --mpi=pmix
                """)
        #expect(batch.overrides == ["--dependency=afterok:7:9_3", "--kill-on-invalid-dep=yes"])
    }

    @Test func equalCallsAreOneArray() {
        var batch = call
        batch.entries = ["/data/a", "/data/it's b", "/data/c"]
        #expect(batch.script.contains("#SBATCH --output=/data/100%%/slurm-%A_%a.out\n"))
        #expect(batch.script.contains("#SBATCH --array=0-2\n"))
        #expect(
            batch.script.contains(
                """
                mapfile -t entries <<'END OF ENTRIES'
                /data/a
                /data/it's b
                /data/c
                END OF ENTRIES
                left=
                for entry in "${entries[@]}"; do
                test -e job/"$entry.outcome" && ! test -e job/"$entry.task" || { left=1; break; }
                done
                if test "$left"; then printf '%s\\n' "${entries[@]}" | '/opt/my python/bin/python' -m job --element "$SLURM_ARRAY_TASK_ID"
                else { waited=$(squeue --noheader --user="$(id -u)" --format=%E) && case $waited in
                *:"$SLURM_ARRAY_JOB_ID"[_\\(]*) ;;
                *) scancel --state=PENDING "$SLURM_ARRAY_JOB_ID" ;;
                esac; true; } 2>/dev/null; fi
                status=$?
                log=/data/100%"/slurm-${SLURM_ARRAY_JOB_ID}_$SLURM_ARRAY_TASK_ID.out"

                """))
        #expect(batch.log(of: SlurmJobID(17, element: 2)) == "/data/100%/slurm-17_2.out")
        let entries = batch.entries.map(ShellWord.quoted).joined(separator: " ")
        #expect(batch.commandLine == "'/opt/my python/bin/python' -m job --elements \(entries)")
    }

    @Test func theUsersOptionsWin() {
        var resources = SlurmResources()
        resources.memory = 1 << 30
        resources.options = [.init("mem", "8G")]
        #expect(resources.batchOptions.filter { $0.name == "mem" } == [.init("mem", "8G")])
    }

    @Test(arguments: [(1, 2), (59, 2), (60, 2), (61, 3), (120, 3), (250, 6), (3600, 61)] as [(UInt64, UInt64)])
    func minutesAreACeilingAndOne(seconds: UInt64, minutes: UInt64) {
        #expect(SlurmResources.minutes(seconds * 1_000_000_000) == minutes)
    }

    @Test func commandLines() {
        #expect(SlurmCommands.submit(options: ["--array=0-3"]) == ["sbatch", "--parsable", "--array=0-3"])
        #expect(
            SlurmCommands.queue(user: 1000) == [
                "squeue", "--noheader", "--array", "--states=all", "--user=1000",
                "--Format=JobArrayID:24,State:18,Reason:40,exit_code:12,NodeList:80",
            ])
        #expect(SlurmCommands.cancel([SlurmJobID(7), SlurmJobID(9, element: 3)]) == ["scancel", "--", "7", "9_3"])
        #expect(SlurmCommands.cancelWaiting(7) == ["scancel", "--state=PENDING", "--", "7"])
        #expect(
            SlurmCommands.history([7, 9]) == [
                "sacct", "--allocations", "--parsable2", "--noheader", "--format=JobID,State,ExitCode,NodeList,Reason",
                "--jobs=7,9",
            ])
    }

    @Test func theJobAroundTheClientDoesNotSpeakForOthers() {
        let inherited = [
            "HOME=/home/me", "SLURM_CONF=/etc/slurm.conf", "SLURM_JOB_ID=3", "SLURM_MEM_PER_NODE=100", "SQUEUE_FORMAT=%i",
            "SBATCH_WAIT=1",
            "SBATCH_PARTITION=fast", "SBATCH_ACCOUNT=mine", "SLURM_TIME_FORMAT=relative",
        ]
        #expect(
            SlurmCommands.environment(inherited, setting: [.init("partition", "debug")])
                == ["HOME=/home/me", "SLURM_CONF=/etc/slurm.conf", "SBATCH_ACCOUNT=mine"])
    }
}
