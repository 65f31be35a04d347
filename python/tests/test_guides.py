# SPDX-License-Identifier: BSD-3-Clause
"""The programs in the documentation run as they stand there."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = ["README.md", "docs/guides/resources.md", "docs/guides/cache.md"]


@pytest.mark.parametrize("page", PAGES)
def test_programs_of_a_page_run(page: str, tmp_path: Path) -> None:
    programs = re.findall(r"^```python\n(.*?)^```$", (ROOT / page).read_text(), re.DOTALL | re.MULTILINE)
    assert programs
    for number, source in enumerate(programs):  # in one directory: some look at what others left
        path = tmp_path / f"program{number}.py"
        path.write_text(source)
        done = subprocess.run(
            [sys.executable, path.name],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=100,
            check=False,
        )
        assert (done.returncode, done.stderr) == (0, ""), f"{source}\n{done.stderr}"
        for expected in re.findall(r"print\(.*\)  # (\d+)$", source, re.MULTILINE):
            assert expected in done.stdout.split()
