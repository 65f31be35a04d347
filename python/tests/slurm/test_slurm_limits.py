# SPDX-License-Identifier: BSD-3-Clause
"""A site's limits on arrays and submitted jobs: those that it tells are kept, the others are found out."""

from __future__ import annotations

import getpass
from collections.abc import Iterator
from pathlib import Path

import pytest
from slurm_cluster import Cluster

from swiftlet import SlurmClusterExecutor

TIMEOUT = 100
CALLS = 40
LARGEST_ARRAY = 5


@pytest.fixture(scope="module")
def strict(running_cluster: Cluster) -> Iterator[Cluster]:
    """The site enforces limits; its arrays are small."""
    user = getpass.getuser()
    show = ["sacctmgr", "-nP", "show", "association", "where", f"user={user}", "format=user"]
    if not running_cluster.run(*show):
        running_cluster.run("sacctmgr", "-i", "add", "user", user, "account=root")
    running_cluster.restart_controller(f"MaxArraySize={LARGEST_ARRAY + 1}\nAccountingStorageEnforce=limits")
    yield running_cluster
    running_cluster.restart_controller("")


def set_limit(cluster: Cluster, kind: str, limit: str) -> None:
    """Sets it, and waits until the controller knows."""
    if kind == "association":
        name, key, seen = f"users={getpass.getuser()}", "MaxSubmitJobs", "MaxSubmitJobs="
        cluster.run("sacctmgr", "-i", "modify", "user", getpass.getuser(), "set", f"{key}={limit}")
    else:
        name, key, seen = "qos=normal", "GrpSubmitJobs", "GrpSubmitJobs="
        cluster.run("sacctmgr", "-i", "modify", "qos", "normal", "set", f"{key}={limit}")
    if limit != "-1":
        seen += limit
    flags = {"association": "flags=assoc", "qos": "flags=qos"}[kind]
    cluster.until(lambda: seen in cluster.run("scontrol", "show", "assoc_mgr", flags, name))


@pytest.fixture(params=["association", "qos"])
def limit(request: pytest.FixtureRequest, strict: Cluster, cluster: Cluster) -> Iterator[int]:
    """So many jobs of the user may be submitted. Users can ask for the limits of associations alone."""
    set_limit(strict, request.param, "8")
    yield 8
    cluster.clear()
    set_limit(strict, request.param, "-1")


def busy(cluster: Cluster) -> int:
    return len(cluster.queue())


def test_more_calls_than_the_site_takes(cluster: Cluster, limit: int, tmp_path: Path) -> None:
    with SlurmClusterExecutor(cache_directory=str(tmp_path)) as executor:
        futures = [executor.submit(abs, -number) for number in range(CALLS)]
        chain = executor.submit(sum, futures)
        assert [future.result(TIMEOUT) for future in futures] == list(range(CALLS))
        assert chain.result(TIMEOUT) == sum(range(CALLS))
    cluster.until(lambda: not cluster.queue())


def test_more_workers_than_the_site_takes(cluster: Cluster, limit: int, tmp_path: Path) -> None:
    with SlurmClusterExecutor(
        cache_directory=str(tmp_path), block_allocation=True, max_workers=2 * limit
    ) as executor:
        futures = [executor.submit(abs, -number) for number in range(CALLS)]
        assert [future.result(TIMEOUT) for future in futures] == list(range(CALLS))
        assert busy(cluster) <= limit
    cluster.until(lambda: not cluster.queue())


def test_others_have_taken_all_the_room(cluster: Cluster, limit: int, tmp_path: Path) -> None:
    """Then calls wait, and begin when it is free again."""
    command = ["sbatch", "--parsable", "--output=/dev/null", "--wrap=exec sleep 600"]
    jobs = [cluster.run(*command).strip() for _ in range(limit)]
    with SlurmClusterExecutor(cache_directory=str(tmp_path)) as executor:
        futures = [executor.submit(abs, -number) for number in range(3)]
        cluster.until(lambda: "takes more jobs" in executor.explain(futures[-1]))
        cluster.run("scancel", *jobs)
        assert [future.result(TIMEOUT) for future in futures] == [0, 1, 2]
