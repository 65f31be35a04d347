# SPDX-License-Identifier: BSD-3-Clause
"""The conformance suite of all executors, on SlurmClusterExecutor: each call a batch job of a real Slurm,
or of a warm worker that is one.

Of the suite this is what a queue can make different; the rest happens in the client, as with
``TestClusterExecutor``, on which all of it runs.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from slurm_cluster import Cluster

from swiftlet import SlurmClusterExecutor

sys.path.append(str(Path(__file__).resolve().parents[1] / "conformance"))

from conformance_fixtures import executor, gate, make  # noqa: F401
from kinds import Kind
from test_conformance_executor import (  # noqa: F401
    test_a_call_may_use_an_executor_of_its_own,
    test_cancel_futures_spares_what_has_ended,
    test_map_gives_the_results_in_order,
    test_map_raises_in_turn,
    test_shutdown_without_waiting,
    test_submit_passes_all_arguments,
)
from test_conformance_futures import (  # noqa: F401
    test_as_completed,
    test_asyncio,
    test_callbacks_run_in_the_order_they_were_added,
    test_cancel_of_a_call_that_waits,
    test_result_and_exception_of_a_value,
    test_result_and_exception_of_an_error,
    test_wait,
)


@pytest.fixture(params=["jobs", "warm"])
def kind(request: pytest.FixtureRequest, cluster: Cluster) -> Kind:
    """The executor of this folder's cluster."""
    if request.param == "warm":
        return Kind(
            lambda directory, **options: SlurmClusterExecutor(
                cache_directory=str(directory / "cache"), block_allocation=True, max_workers=2, **options
            ),
            stays=True,
        )
    return Kind(
        lambda directory, **options: SlurmClusterExecutor(
            cache_directory=str(directory / "cache"), **options
        ),
        detaches=True,
    )
