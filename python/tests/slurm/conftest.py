# SPDX-License-Identifier: BSD-3-Clause
"""A real Slurm for the tests of this folder: started when the first of them needs it, ended after the last.

They are skipped only where Slurm cannot be had (no Debian, or packages are missing and the user is not root).
"""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from slurm_cluster import Cluster, NoSlurmHere
from ways import relay_always


@pytest.fixture(scope="session")
def running_cluster() -> Iterator[Cluster]:
    """The cluster of this test session; use `cluster`."""
    cluster = Cluster()
    try:
        cluster.up()
    except NoSlurmHere as why:
        pytest.skip(f"no Slurm on this machine: {why}")
    os.environ["SLURM_CONF"] = str(cluster.configuration)
    yield cluster
    cluster.down()


@pytest.fixture(autouse=True)
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """How workers behind agents are reached: as on the nodes of a real cluster, where a test does not say
    else. (Programs that a test starts find out themselves.)"""
    way: str = getattr(request, "param", "relayed")
    if way == "relayed":
        relay_always(monkeypatch)
    return way


@pytest.fixture
def cluster(running_cluster: Cluster) -> Iterator[Cluster]:
    """The cluster, all nodes up and no job queued, before the test and after it."""
    running_cluster.up()
    yield running_cluster
    running_cluster.up()
    running_cluster.clear()


@pytest.fixture
def allocation(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, str]]:
    """The test runs as if started by `salloc -N2 -n8`: its variables are in the environment."""
    with cluster.salloc("-N2", "--ntasks-per-node=4") as variables:
        for key, value in variables.items():
            monkeypatch.setenv(key, value)
        yield variables
