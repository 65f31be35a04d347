# SPDX-License-Identifier: BSD-3-Clause
"""Many calls through one allocation: all right, nothing left, and Slurm's controller hardly hears of them."""

from __future__ import annotations

import os
import re

import pytest
from slurm_cluster import Cluster

from swiftlet import SlurmJobExecutor

FRESH = int(os.environ.get("SWIFTLET_TEST_FRESH_CALLS", "1000"))
"""20,000 take some minutes on two cores."""
WARM = 20_000


def requests(cluster: Cluster) -> int:
    """How many requests the controller has answered, but for those of its own nodes and of this question."""
    text = cluster.run("sdiag").partition("Remote Procedure Call statistics by user")[0]
    counts = dict(re.findall(r"^\s+(REQUEST_\w+|MESSAGE_\w+)\s.*count:(\d+)", text, re.MULTILINE))
    return sum(int(count) for name, count in counts.items() if "NODE_REG" not in name and "STATS" not in name)


@pytest.mark.parametrize(("warm", "count"), [(True, WARM), (False, FRESH)])
def test_many_calls(warm: bool, count: int, cluster: Cluster, allocation: dict[str, str]) -> None:
    before = requests(cluster)
    with SlurmJobExecutor(max_workers=8 if warm else None, block_allocation=warm) as executor:
        assert list(executor.map(abs, range(-count, 0))) == list(range(count, 0, -1))
    asked = requests(cluster) - before
    print(f"{count} calls, {asked} requests to the controller")
    assert asked < 30
    assert [row.job for row in cluster.queue()] == [allocation["SLURM_JOB_ID"]]
