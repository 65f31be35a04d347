# SPDX-License-Identifier: BSD-3-Clause
"""A Swift package outside of this repository builds and runs from the README's lines alone."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.timeout(900)
def test_the_packages_of_the_readme(tmp_path: Path) -> None:
    blocks = re.findall(r"^```swift\n(.*?)^```$", (ROOT / "README.md").read_text(), re.DOTALL | re.MULTILINE)
    manifest = next(block for block in blocks if "swift-tools-version" in block)
    program = next(block for block in blocks if "TaskProgram" in block)
    # The README's repository is called swiftlet; this working tree may be called otherwise.
    package = tmp_path / "squares"
    sources = package / "Sources" / "Squares"
    sources.mkdir(parents=True)
    (tmp_path / "swiftlet").symlink_to(ROOT)
    (package / "Package.swift").write_text(manifest)
    (sources / "Squares.swift").write_text(program)
    done = subprocess.run(
        ["swift", "run", "--package-path", str(package)], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout.split()) == (0, ["0", "1", "4", "9"]), done.stderr
