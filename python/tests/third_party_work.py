# SPDX-License-Identifier: BSD-3-Clause
"""What the examples of other packages compute; light to import, as each fresh call does that."""

from __future__ import annotations

import numpy as np


def log_probability(theta):
    return -0.5 * np.sum((theta - np.array([1.0, -2.0, 3.0])) ** 2)


def peak(x, a=0.1):
    return x + a**2 / (a**2 + x**2)


def double_it(x: int, c: int = 2) -> int:
    return c * x


def square_and_one(y: int) -> int:
    return y**2 + 1


def add_up(z: np.ndarray) -> int:
    return int(sum(z))
