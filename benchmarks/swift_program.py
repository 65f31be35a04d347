# SPDX-License-Identifier: BSD-3-Clause
"""Builds and runs the Swift program that the benchmarks of the Swift API measure."""

from __future__ import annotations

import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
_BUILD = [
    *("swift", "build", "--configuration", "release"),
    *("--product", "SwiftBenchmark", "--scratch-path", ".build/benchmark"),
]


def build() -> Path:
    """The program, built as a release."""
    subprocess.run([*_BUILD, "--quiet"], cwd=ROOT, check=True)
    path = subprocess.run([*_BUILD, "--show-bin-path"], cwd=ROOT, check=True, capture_output=True, text=True)
    return Path(path.stdout.strip()) / "SwiftBenchmark"


def measure(program: Path, question: str, count: int) -> list[float]:
    """What the program prints for a question."""
    done = subprocess.run([str(program), question, str(count)], check=True, capture_output=True, text=True)
    return [float(word) for word in done.stdout.split()]
