# SPDX-License-Identifier: BSD-3-Clause
"""What the benchmarks run: importable, so that every contestant pickles it in the cheapest way."""

from __future__ import annotations

from typing import Any

SWIFTLET = "swiftlet"
POOL = "ProcessPoolExecutor"
EXECUTORLIB = "executorlib"
EXECUTORLIB_BARE = "executorlib, disable_dependencies"


def identity(value: Any) -> Any:
    """Gives back what it gets."""
    return value


def increment(value: int) -> int:
    """One link of a chain."""
    return value + 1


def touch(array: Any) -> Any:
    """Reads one number of each page, then gives the array back."""
    array[:: 4096 // array.itemsize].sum()
    return array


def read_all(path: str) -> str:
    """Blocks until somebody has written to a named pipe."""
    with open(path) as pipe:
        return pipe.read()
