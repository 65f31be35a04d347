# SPDX-License-Identifier: BSD-3-Clause
"""The program of Tests/TestProgram, whose functions are tasks in Swift."""

from __future__ import annotations

import shutil
import subprocess
from functools import cache
from pathlib import Path

import pytest

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


def run(*arguments: str) -> list[str]:
    """Runs a scenario; the lines it prints."""
    done = subprocess.run([built(), *arguments], capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.splitlines()
