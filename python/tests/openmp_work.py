# SPDX-License-Identifier: BSD-3-Clause
"""A function whose loop is shared by the threads of omp4py, as its documentation writes it."""

from __future__ import annotations

import random

from omp4py import omp


@omp
def pi(num_points: int) -> tuple[float, int]:
    """π by throwing darts, and how many threads threw."""
    count = 0
    threads = 0
    with omp("parallel reduction(+:threads)"):
        threads += 1
    with omp("parallel for reduction(+:count)"):
        for _ in range(num_points):
            x = random.random()
            y = random.random()
            if x * x + y * y <= 1.0:
                count += 1
    return 4 * count / num_points, threads
