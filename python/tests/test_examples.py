# SPDX-License-Identifier: BSD-3-Clause
"""Every example runs as its users run it and prints what its readers are told."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).resolve().parents[2] / "examples" / "python"

EXPECTED = {
    "hello": "[0, 1, 4, 9] 14\n",
    "warm_workers": "He 4.0026\nNe 20.18\nAr 39.948\n",
    "dependencies": ("[0.5, 1.0, 1.5, 2.0] between 0.5 and 2.0, energy -10.0\n[2, 2]\n"),
    "errors": (
        "raised: ZeroDivisionError - division by zero\n"
        "  seen from here, with the worker's lines: True\n"
        "its dependant: ZeroDivisionError\n"
        "worker lost: True 11\n"
        "refused in submit: InputError\n"
        "misspelt: True\n"
        "time limit: True\n"
        "cancelled while it ran: True\n"
        "and the next call works: 0.5\n"
    ),
    "graphs": ("flowchart TD with 3 arrows\n3.0\n1.0\n{'cell': 'done', 'take': 'done', 'ratio': 'done'}\n"),
    "interactive_program": "['total 5']\n['total 12']\n0\n",
    "asyncio_await": "120\n[1, 1, 2, 6, 24]\n2432902008176640000\n",
}


def run(name: str, *arguments: str, cwd: Path) -> str:
    """Standard output of an example that must succeed, started in an unrelated directory."""
    command = [sys.executable, str(EXAMPLES / f"{name}.py"), *arguments]
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("name", sorted(EXPECTED))
def test_example_prints_what_it_says(name: str, tmp_path: Path) -> None:
    assert run(name, cwd=tmp_path) == EXPECTED[name]


@pytest.mark.parametrize("mode", ["fresh", "warm"])
def test_equation_of_state_finds_the_known_crystal(mode: str, tmp_path: Path) -> None:
    output = run("equation_of_state", "--mode", mode, cwd=tmp_path)
    rows = [line.rsplit(maxsplit=2) for line in output.splitlines() if " / " in line and "=" not in line]
    found = {name.strip(): (float(value), float(known)) for name, value, known in rows}
    assert len(found) == 3
    for value, known in found.values():
        assert value == pytest.approx(known, rel=1e-3)
    assert "thermal expansion up to T = 0.4 ε/k: 2.2%" in output


def test_equation_of_state_writes_a_picture(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    picture = tmp_path / "picture.png"
    run("equation_of_state", "--mode", "warm", "--picture", str(picture), cwd=tmp_path)
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert picture.stat().st_size > 50_000


def test_every_example_is_tested() -> None:
    parts = {"lennard_jones", "equation_of_state_picture"}
    elsewhere = {"flux_in_slurm"}  # on_flux/test_flux_in_slurm.py
    tested = {*EXPECTED, "equation_of_state", *parts, *elsewhere}
    assert {path.stem for path in EXAMPLES.glob("*.py")} == tested
