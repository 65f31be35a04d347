# SPDX-License-Identifier: BSD-3-Clause
"""The program of Tests/TestProgram, whose functions are tasks in Swift."""

from __future__ import annotations

import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

MPICH = Path(sys.prefix) / "lib" / "libmpi.so.12"
"""The MPI that the tests' Python has; scripts/venv installs it."""
RANKS = " ".join(f"{rank}/6" for rank in range(6))
FAILURES = ["failed OutOfRange(number: 0)", "lost killed", "failed OutOfRange(number: 5)", "lost killed"]
DIRECTORIES = [
    "command two/in", "command of a request two/in", "command one/in", "command of a request one/in",
    "task one/in", "both one/in/deep", "unsaid one one", "ranks one/in one/in",
]  # fmt: skip
"""What Tests/TestProgram/DirectoryScenario.swift prints; the last line is missing where workers are warm."""
CAUSES = [
    "failed of TaskError, failed of TaskError, failed of OutOfRange, OutOfRange(number: 12)",
    "lost of TaskError, lost by 9 of nothing",
]
REBUILT = "it was rebuilt or replaced meanwhile"
ROOT = Path(__file__).resolve().parents[2]


@cache
def built() -> Path:
    """The program's file. Skips the test where there is no Swift."""
    if shutil.which("swift") is None:
        pytest.skip("there is no Swift on this machine")
    command = ["swift", "build", "--product", "TestProgram"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-2000:]
    where = subprocess.run(
        [*command, "--show-bin-path"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return Path(where.stdout.strip()) / "TestProgram"


def run(*arguments: str, program: Path | None = None) -> list[str]:
    """Runs a scenario, also of a copy of the program; the lines it prints."""
    done = subprocess.run(
        [program or built(), *arguments], capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.splitlines()
