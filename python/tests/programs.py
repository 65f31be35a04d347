# SPDX-License-Identifier: BSD-3-Clause
"""Python programs that tests start."""

from __future__ import annotations

import subprocess
import sys
import textwrap
import uuid
from pathlib import Path

import pytest


class Script:
    """A Python program in a process of its own."""

    def __init__(self, directory: Path, source: str) -> None:
        path = directory / f"script_{uuid.uuid4().hex}.py"
        path.write_text(textwrap.dedent(source))
        self.process = subprocess.Popen(
            [sys.executable, str(path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=directory,
        )

    def line(self) -> str:
        """The next line of its stdout."""
        assert self.process.stdout is not None
        return self.process.stdout.readline().rstrip("\n")

    def end_after(self, text: str) -> tuple[int, str, str]:
        """As ``end``, once it has got ``text`` on its stdin."""
        assert self.process.stdin is not None
        self.process.stdin.write(text)
        self.process.stdin.flush()
        return self.end()

    def end(self, timeout: float = 30) -> tuple[int, str, str]:
        """(exit status, rest of stdout, stderr) once it has ended by itself."""
        try:
            out, err = self.process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            self.process.kill()
            out, err = self.process.communicate()
            pytest.fail(f"the script did not end\nstdout: {out}\nstderr: {err}")
        return self.process.returncode, out, err
