# SPDX-License-Identifier: BSD-3-Clause
"""Equation of state and thermal expansion of a Lennard-Jones crystal, as a graph of tasks.

    neighbours ──▶ energy of each volume (map) ────────────────▶ cold fit
    phonons of each volume, in blocks ──▶ mean of each volume ──▶ thermal expansion

Run with `--mode fresh` (a clean interpreter state for each call), `--mode warm` (two kept workers), or both.
"""

from __future__ import annotations

import argparse
import itertools
import os
import sys
import time
from concurrent.futures import Future, as_completed
from typing import Any, NamedTuple

import numpy as np

from equation_of_state_picture import draw
from lennard_jones import (
    Array,
    EquationOfState,
    cohesive_energy,
    fit_equation_of_state,
    log_frequencies,
    mean_log_frequency,
    neighbour_vectors,
    thermal_expansion,
    zone_points,
)
from swiftlet import SingleNodeExecutor

LATTICE_CONSTANTS = np.linspace(1.49, 1.63, 15)
TEMPERATURES = np.linspace(0.0, 0.4, 9)
SUM_CUTOFF, PHONON_CUTOFF = 12.0, 3.0  # in lattice constants
ZONE_GRID, ZONE_BLOCKS = 12, 3

# From the fcc lattice sums A6 = 14.45392 and A12 = 12.13188 (Kittel, Introduction to Solid State Physics).
KNOWN = {"lattice constant / σ": 1.5417, "cohesive energy / ε": -8.6102, "bulk modulus / ε σ⁻³": 75.19}


class Result(NamedTuple):
    """What the workflow finds."""

    energies: list[float]
    log_means: list[float]
    cold: EquationOfState
    expansion: Array


class Progress:
    """One line that counts calls: live on a terminal, else printed once."""

    def __init__(self, title: str, total: int) -> None:
        self.title, self.total, self.done = title, total, 0
        self.start = time.perf_counter()

    def step(self) -> None:
        """One more call has ended."""
        self.done += 1
        if sys.stderr.isatty() or self.done == self.total:
            filled = 28 * self.done // self.total
            bar = "━" * filled + "╌" * (28 - filled)
            seconds = time.perf_counter() - self.start
            line = f"{self.title:<16} {bar} {self.done:>3}/{self.total} calls {seconds:5.1f} s"
            end = "\n" if self.done == self.total else ""
            print(f"\r{line}" if sys.stderr.isatty() else line, end=end, file=sys.stderr, flush=True)


def run(executor: SingleNodeExecutor, title: str) -> Result:
    """Submits the whole graph at once, then follows it."""
    count = len(LATTICE_CONSTANTS)
    progress = Progress(title, total=2 + count * (ZONE_BLOCKS + 2) + 2)

    far = executor.submit(neighbour_vectors, SUM_CUTOFF)
    near = executor.submit(neighbour_vectors, PHONON_CUTOFF)
    blocks = np.array_split(zone_points(ZONE_GRID), ZONE_BLOCKS)
    phonons = [
        [executor.submit(log_frequencies, constant, near, block) for block in blocks]
        for constant in LATTICE_CONSTANTS
    ]
    log_means = [executor.submit(mean_log_frequency, of_volume) for of_volume in phonons]

    energies = []
    for energy in executor.map(cohesive_energy, LATTICE_CONSTANTS, itertools.repeat(far, count)):
        energies.append(energy)
        progress.step()

    cold = executor.submit(fit_equation_of_state, LATTICE_CONSTANTS, energies)
    warm = executor.submit(thermal_expansion, LATTICE_CONSTANTS, energies, log_means, TEMPERATURES)
    others: list[Future[Any]] = [far, near, *itertools.chain(*phonons), *log_means, cold, warm]
    for _ in as_completed(others):
        progress.step()
    return Result(energies, [mean.result() for mean in log_means], cold.result(), warm.result())


def report(result: Result) -> None:
    """The three numbers of the cold crystal beside the known ones, and the expansion."""
    cold = result.cold
    print(f"\n{'':22}{'found':>10}{'known':>10}")
    for (name, known), found in zip(KNOWN.items(), (cold.lattice_constant, cold.energy, cold.bulk_modulus)):
        digits = 2 if abs(found) > 10 else 4
        print(f"{name:22}{found:10.{digits}f}{known:10.{digits}f}")
    growth = result.expansion[-1] / result.expansion[0] - 1
    print(f"\nthermal expansion up to T = {TEMPERATURES[-1]} ε/k: {growth:.1%} of the lattice constant")


def main() -> None:
    """Runs the workflow in the modes asked for, and draws what the last one found."""
    parser = argparse.ArgumentParser(description="Equation of state of a Lennard-Jones crystal")
    parser.add_argument("--mode", choices=("fresh", "warm", "both"), default="fresh")
    parser.add_argument("--picture", metavar="FILE", help="write a picture of the result")
    arguments = parser.parse_args()

    workers = len(os.sched_getaffinity(0))
    results = []
    if arguments.mode in ("fresh", "both"):
        with SingleNodeExecutor(max_workers=workers) as executor:
            results.append(run(executor, "fresh processes"))
    if arguments.mode in ("warm", "both"):
        with SingleNodeExecutor(max_workers=workers, block_allocation=True) as executor:
            results.append(run(executor, "warm workers"))
    report(results[-1])
    if arguments.picture:
        draw(arguments.picture, LATTICE_CONSTANTS, TEMPERATURES, results[-1])
        print(f"picture: {arguments.picture}")


if __name__ == "__main__":
    main()
