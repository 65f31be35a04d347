# SPDX-License-Identifier: BSD-3-Clause
"""How many calls a second become batch jobs of Slurm and come back?"""

from __future__ import annotations

import subprocess
import tempfile
import time
from concurrent.futures import Executor

from executorlib import SlurmClusterExecutor as Executorlib

from race import Contestant, Goal, race
from slurm_site import site
from swiftlet import SlurmClusterExecutor
from work import EXECUTORLIB, SWIFTLET, identity

CALLS = 300
FEW_CALLS = 50
FEW = f"{SWIFTLET}, {FEW_CALLS} calls"
LEAN = "executorlib, template without --get-user-env"
BARE = "sbatch --array of `true`, bare"
LEAN_TEMPLATE = """#!/bin/bash
#SBATCH --output=time.out
#SBATCH --job-name={{job_name}}
#SBATCH --chdir={{working_directory}}
#SBATCH --partition={{partition}}
#SBATCH --ntasks={{cores}}

{{command}}"""


def per_second(executor: Executor, calls: int = CALLS) -> float:
    """Submits all, then takes every result."""
    with executor:
        start = time.perf_counter()
        futures = [executor.submit(identity, index) for index in range(calls)]
        values = [future.result() for future in futures]
        elapsed = time.perf_counter() - start
    assert values == list(range(calls))
    return calls / elapsed


def swiftlet_per_second(calls: int = CALLS) -> float:
    """Nothing is asked for: the default script."""
    with tempfile.TemporaryDirectory() as directory:
        return per_second(SlurmClusterExecutor(cache_directory=directory), calls)


def executorlib_per_second(template: str | None) -> float:
    """Its default script needs to be told a partition."""
    resources = {"partition": "debug", **({"submission_template": template} if template else {})}
    with tempfile.TemporaryDirectory() as directory:
        return per_second(Executorlib(cache_directory=directory, resource_dict=resources))


def bare_per_second() -> float:
    """What Slurm itself does with as many jobs that do nothing, asked every 50 ms whether they are over."""
    start = time.perf_counter()
    script = ["sbatch", "--parsable", f"--array=0-{CALLS - 1}", "--output=/dev/null", "--wrap=true"]
    job = subprocess.run(script, check=True, capture_output=True, text=True).stdout.strip()
    while subprocess.run(["squeue", "-h", "-j", job], check=True, capture_output=True).stdout:
        time.sleep(0.05)
    return CALLS / (time.perf_counter() - start)


if __name__ == "__main__":
    with site():
        race(
            f"{CALLS} no-op calls as batch jobs",
            "calls/s",
            [
                Contestant(SWIFTLET, swiftlet_per_second),
                Contestant(FEW, lambda: swiftlet_per_second(FEW_CALLS)),
                Contestant(EXECUTORLIB, lambda: executorlib_per_second(None)),
                Contestant(LEAN, lambda: executorlib_per_second(LEAN_TEMPLATE)),
                Contestant(BARE, bare_per_second),
            ],
            [
                Goal(SWIFTLET, EXECUTORLIB, "at least", 10, 5),
                Goal(SWIFTLET, LEAN, "at least", 10, 5),
                Goal(SWIFTLET, BARE, "at least", 1, 0.3),
            ],
            rounds=2,
        )
