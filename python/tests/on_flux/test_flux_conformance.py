# SPDX-License-Identifier: BSD-3-Clause
"""The conformance suite of all executors, on a real Flux instance: calls on its cores, and as its jobs."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from flux_nodes import Instance

from swiftlet import FluxClusterExecutor, FluxJobExecutor

sys.path.append(str(Path(__file__).resolve().parents[1] / "conformance"))

from conformance_fixtures import executor, gate, make  # noqa: F401
from kinds import Kind
from test_conformance_executor import *  # noqa: F403
from test_conformance_futures import *  # noqa: F403

KINDS = {
    "flux-fresh": Kind(
        lambda _, **options: FluxJobExecutor(**{"hostname_localhost": True, "max_workers": 2, **options})
    ),
    "flux-warm": Kind(
        lambda _, **options: FluxJobExecutor(
            **{"hostname_localhost": True, "block_allocation": True, "max_workers": 2, **options}
        ),
        stays=True,
    ),
    "flux-cluster": Kind(
        lambda directory, **options: FluxClusterExecutor(cache_directory=str(directory / "cache"), **options),
        detaches=True,
    ),
    "flux-cluster-warm": Kind(
        lambda directory, **options: FluxClusterExecutor(
            **{
                "cache_directory": str(directory / "cache"),
                "hostname_localhost": True,
                "block_allocation": True,
                "max_workers": 2,
                **options,
            }
        ),
        stays=True,
    ),
}


@pytest.fixture(params=sorted(KINDS))
def kind(request: pytest.FixtureRequest, instance: Instance) -> Kind:
    """Each in turn."""
    return KINDS[request.param]
