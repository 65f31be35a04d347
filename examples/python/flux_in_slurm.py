# SPDX-License-Identifier: BSD-3-Clause
"""Flux inside an allocation of Slurm: a broker on each node, and calls on the cores of all of them.

    salloc --nodes=2 --exclusive srun --ntasks-per-node=1 --mpi=pmi2 flux start python flux_in_slurm.py

`flux start` is run once on each node, and its program only on the first one. The calls are no steps of Slurm:
a call takes milliseconds, and Slurm hears of none.
"""

from __future__ import annotations

import os

from swiftlet import FluxJobExecutor

STEPS = 400_000


def part_of_pi(first: int, last: int) -> tuple[float, str]:
    """A part of the integral of 4/(1 + x²) from 0 to 1, and the broker on whose node it was computed."""
    middles = ((step + 0.5) / STEPS for step in range(first, last))
    return sum(4 / (1 + x * x) for x in middles) / STEPS, os.environ["FLUX_URI"]


if __name__ == "__main__":
    with FluxJobExecutor() as executor:
        firsts = range(0, STEPS, STEPS // 40)
        parts = list(executor.map(part_of_pi, firsts, [first + STEPS // 40 for first in firsts]))
    print(f"π = {sum(part for part, _ in parts):.6f}")
    print(f"computed on {len({broker for _, broker in parts})} nodes")
