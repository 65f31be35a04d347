# SPDX-License-Identifier: BSD-3-Clause
"""How many calls a second in a Slurm allocation of four nodes of four cores?

Outside an allocation this asks for one, on the tests' own cluster unless SLURM_CONF is set.
"""

from __future__ import annotations

import subprocess
import time
from concurrent.futures import Executor, ThreadPoolExecutor

from executorlib import SlurmJobExecutor as Executorlib

from race import Contestant, Goal, race
from slurm_site import in_allocation
from swiftlet import SlurmJobExecutor
from work import identity

FRESH, WARM = "Swiftlet, a process per call", "Swiftlet, 4 warm workers"
PEER_FRESH, PEER_WARM = "executorlib, a process per call", "executorlib, 4 warm workers"
SRUN = "bare srun of `true`, 16 at a time"
STEPS = "Swiftlet, a step per call"


def per_second(executor: Executor, calls: int) -> float:
    """Submits all, then takes every result."""
    with executor:
        executor.submit(identity, 0).result()
        start = time.perf_counter()
        futures = [executor.submit(identity, index) for index in range(calls)]
        values = [future.result() for future in futures]
        elapsed = time.perf_counter() - start
    assert values == list(range(calls))
    return calls / elapsed


def exact() -> dict[str, object]:
    """The peer's best setting: else its steps take whole nodes. A new dict: the peer changes it."""
    return {"slurm_cmd_args": ["--exact", "-N1", "--quiet"]}


def bare_sruns(calls: int) -> float:
    """What a step costs by itself."""
    command = ["srun", "--quiet", "--exact", "-N1", "-n1", "--mpi=none", "true"]
    with ThreadPoolExecutor(16) as threads:
        start = time.perf_counter()
        list(threads.map(lambda _: subprocess.run(command, check=True), range(calls)))
        return calls / (time.perf_counter() - start)


if __name__ == "__main__":
    in_allocation("-N4", "-n16")
    race(
        "No-op calls in an allocation of 16 cores",
        "calls/s",
        [
            Contestant(FRESH, lambda: per_second(SlurmJobExecutor(max_workers=16), 1000)),
            Contestant(
                PEER_FRESH, lambda: per_second(Executorlib(max_workers=16, resource_dict=exact()), 30)
            ),
            Contestant(STEPS, lambda: per_second(SlurmJobExecutor(resource_dict={"step": True}), 50)),
            Contestant(SRUN, lambda: bare_sruns(50)),
            Contestant(
                WARM, lambda: per_second(SlurmJobExecutor(max_workers=4, block_allocation=True), 20_000)
            ),
            Contestant(
                PEER_WARM,
                lambda: per_second(
                    Executorlib(max_workers=4, block_allocation=True, resource_dict=exact()), 1000
                ),
            ),
        ],
        [
            Goal(FRESH, PEER_FRESH, "at least", 30, 15),
            Goal(WARM, PEER_WARM, "at least", 10, 5),
            Goal(FRESH, SRUN, "at least", 5, 2),
        ],
        rounds=3,
    )
