# SPDX-License-Identifier: BSD-3-Clause
"""The conformance suite of all executors, on SlurmJobExecutor in an allocation, fresh and warm."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from swiftlet import SlurmJobExecutor

sys.path.append(str(Path(__file__).resolve().parents[1] / "conformance"))

from conformance_fixtures import executor, gate, make  # noqa: F401
from kinds import Kind
from test_conformance_executor import *  # noqa: F403
from test_conformance_futures import *  # noqa: F403


@pytest.fixture(params=["slurm-fresh", "slurm-warm"])
def kind(request: pytest.FixtureRequest, allocation: dict[str, str]) -> Kind:
    """Each in turn."""
    if request.param == "slurm-warm":
        return Kind(
            lambda _, **options: SlurmJobExecutor(block_allocation=True, max_workers=2, **options), stays=True
        )
    return Kind(lambda _, **options: SlurmJobExecutor(max_workers=2, **options))
