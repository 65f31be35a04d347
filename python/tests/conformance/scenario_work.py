# SPDX-License-Identifier: BSD-3-Clause
"""What the documentation of executorlib runs, as its readers write it."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

COUNTING_PROGRAM = """
def count(iterations):
    for number in range(int(iterations)):
        print(number)
    print("done")

while True:
    answer = input()
    if "shutdown" in answer:
        break
    count(answer)
"""


def calc_add(a, b):
    return a + b


def calc_with_threads(a, b):
    for name in ("OMP", "OPENBLAS", "MKL", "VECLIB_MAXIMUM", "NUMEXPR"):
        os.environ[f"{name}_NUM_THREADS"] = "2"
    import numpy as np

    return int(np.add(a, b))


def calc(i, j, k):
    return i + j + k


def init_function():
    return {"j": 4, "k": 3, "l": 2}


def divide_by_zero_once(i, j):
    return 1 / (i - 2) + j


def get_tuple():
    return "a", "b", 15


def get_dict():
    return {"a": 1, "b": 2, "c": 15}


def echo():
    return subprocess.check_output(["echo", "test"], universal_newlines=True)


def start_counting():
    """Init function: an external program, held by the worker; it could not be pickled."""
    process = subprocess.Popen(
        [sys.executable, "-u", "-c", COUNTING_PROGRAM],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        universal_newlines=True,
        shell=False,
    )
    return {"process": process}


def interact(
    shell_input: str, process: Any, lines_to_read: int | None = None, stop_read_pattern: str | None = None
) -> str:
    """Writes to the external program and reads what it answers."""
    if process.stdin is None or process.stdout is None:
        raise ValueError("no pipes")
    process.stdin.write(shell_input)
    process.stdin.flush()
    lines, output = 0, ""
    while process.poll() is None:
        if lines_to_read is not None and lines == lines_to_read:
            break
        line = process.stdout.readline()
        output += line
        lines += 1
        if stop_read_pattern is not None and stop_read_pattern in line:
            break
    return output


def shutdown(process: Any) -> None:
    process.stdin.write("shutdown\n")
    process.stdin.flush()
    process.wait()
    process.stdin.close()
    process.stdout.close()


def sort_parts(sequence):
    pivot = sequence[0]
    return (
        [number for number in sequence[1:] if number < pivot],
        pivot,
        [number for number in sequence[1:] if number >= pivot],
    )
