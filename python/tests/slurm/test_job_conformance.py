# SPDX-License-Identifier: BSD-3-Clause
"""The conformance suite of all executors, on SlurmJobExecutor in an allocation, fresh and warm."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest

from swiftlet import SlurmJobExecutor

SUITE = Path(__file__).resolve().parents[1] / "conformance"
sys.path.append(str(SUITE))

from kinds import Kind  # noqa: E402
from test_conformance_executor import *  # noqa: E402, F403
from test_conformance_futures import *  # noqa: E402, F403

_spec = importlib.util.spec_from_file_location("conformance_fixtures", SUITE / "conftest.py")
assert _spec is not None
assert _spec.loader is not None
_fixtures = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(_fixtures)
make, executor, gate = _fixtures.make, _fixtures.executor, _fixtures.gate


@pytest.fixture(params=["slurm-fresh", "slurm-warm"])
def kind(request: pytest.FixtureRequest, allocation: dict[str, str]) -> Kind:
    """Each in turn."""
    if request.param == "slurm-warm":
        return Kind(
            lambda _, **options: SlurmJobExecutor(block_allocation=True, max_workers=2, **options), stays=True
        )
    return Kind(lambda _, **options: SlurmJobExecutor(max_workers=2, **options))
