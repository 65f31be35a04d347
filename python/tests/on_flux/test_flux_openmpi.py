# SPDX-License-Identifier: BSD-3-Clause
"""Functions on several ranks with Open MPI on Flux: they find each other, or it is said what they need.

For the environment of ``scripts/test-mpi``.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import flux_work as work
import pytest
from flux_nodes import Instance, has_pmix

from swiftlet import FluxClusterExecutor, FluxJobExecutor

mpi = pytest.importorskip("mpi4py.rc", reason="no mpi4py in this environment")
mpi.initialize = False  # this process is no rank
MPI: Any = pytest.importorskip("mpi4py.MPI")
VENDOR, VERSION = MPI.get_vendor()
pytestmark = pytest.mark.skipif(
    VENDOR != "Open MPI" or VERSION[0] < 5,
    reason=f"mpi4py is on {VENDOR} here: scripts/test-mpi has Open MPI",
)
PATIENCE = 60
NEEDS = r"started 2 ranks, but MPI says .* 1: .*pmi_mode='pmix', if the launcher has its PMIx plug-in"


@pytest.mark.parametrize("mode", [None, "pmi1", "pmi2", "pmix"])
def test_ranks_find_each_other_or_it_is_said_what_they_need(instance: Instance, mode: str | None) -> None:
    with FluxJobExecutor(pmi_mode=mode, hostname_localhost=True) as executor:
        future = executor.submit(work.rank_of_all, 3, resource_dict={"cores": 2})
        if mode == "pmix" and has_pmix(instance):
            assert future.result(PATIENCE) == [(0, 2, 6), (1, 2, 6)]
        else:
            with pytest.raises(RuntimeError, match=NEEDS):
                future.result(PATIENCE)
        assert executor.submit(work.rank_of_all, 1).result(PATIENCE) == (0, 1, 1)


def test_the_same_of_jobs_that_outlive_the_program(instance: Instance, tmp_path: Path) -> None:
    with FluxClusterExecutor(pmi_mode="pmix", cache_directory=str(tmp_path)) as executor:
        future = executor.submit(work.rank_of_all, 3, resource_dict={"cores": 2})
        if has_pmix(instance):
            assert future.result(PATIENCE) == [(0, 2, 6), (1, 2, 6)]
        else:
            with pytest.raises(RuntimeError, match=NEEDS):
                future.result(PATIENCE)
