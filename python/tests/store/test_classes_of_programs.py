# SPDX-License-Identifier: BSD-3-Clause
"""Classes of a program are the same in what its earlier runs have stored."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = """
import dataclasses, enum, sys
from swiftlet import SingleNodeExecutor
from swiftlet.api import TestClusterExecutor

class State(enum.Enum):
    GOOD = 1
    BAD = 2

@dataclasses.dataclass
class Result:
    value: int

def relax(x):
    return State.GOOD

def make(x):
    return Result(x)

def judge(state):
    return "converged" if state is State.GOOD else "not converged"

MODES = {
    "fresh": lambda: SingleNodeExecutor(max_cores=1, cache_directory="cache"),
    "warm": lambda: SingleNodeExecutor(max_workers=1, block_allocation=True, cache_directory="cache"),
    "cluster": lambda: TestClusterExecutor(cache_directory="cache"),
}

if __name__ == "__main__":
    with MODES[sys.argv[1]]() as executor:
        if sys.argv[2] == "first":
            state, result = executor.submit(relax, 1), executor.submit(make, 3)
        else:
            state, result = executor.submit(relax, 1), executor.submit(make, 3)
            print(executor.submit(judge, state).result())
        print(state.result() is State.GOOD, result.result() == Result(3))
"""


@pytest.mark.parametrize("mode", ["fresh", "warm", "cluster"])
def test_a_hit_is_of_the_programs_own_class(tmp_path: Path, mode: str) -> None:
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)

    def run(which: str) -> list[str]:
        done = subprocess.run(
            [sys.executable, str(program), mode, which],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.splitlines()

    assert run("first") == ["True True"]
    assert run("second") == ["converged", "True True"]
    assert run("second") == ["converged", "True True"]
