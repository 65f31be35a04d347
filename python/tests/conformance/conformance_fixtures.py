# SPDX-License-Identifier: BSD-3-Clause
"""What the tests of the suite are given. Folders with a `kind` of their own import it with the tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from held import Gate
from kinds import Kind

from swiftlet import BaseExecutor


@pytest.fixture
def make(kind: Kind, tmp_path: Path) -> Iterator[Callable[..., BaseExecutor]]:
    """Makes executors; they are shut down at the end of the test."""
    made: list[BaseExecutor] = []

    def make(**options: object) -> BaseExecutor:
        made.append(kind.make(tmp_path / "swiftlet_cache", **options))
        return made[-1]

    yield make
    for executor in made:
        executor.shutdown(wait=True, cancel_futures=True)


@pytest.fixture
def executor(make: Callable[..., BaseExecutor]) -> BaseExecutor:
    """One executor without further arguments."""
    return make()


@pytest.fixture
def gate(tmp_path: Path) -> Gate:
    """Holds a call."""
    return Gate(tmp_path / "gate")
