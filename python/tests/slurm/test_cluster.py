# SPDX-License-Identifier: BSD-3-Clause
"""Slurm itself, as the tests beside this one use it: each of its nodes runs something."""

from __future__ import annotations

import os

from slurm_cluster import Cluster


def test_every_node_runs_a_step(cluster: Cluster) -> None:
    nodes = cluster.in_allocation("-N4", "--ntasks-per-node=1")("srun printenv SLURMD_NODENAME")
    assert sorted(nodes.split()) == ["n1", "n2", "n3", "n4"]


def test_what_was_granted_is_read_back(cluster: Cluster) -> None:
    # As one process: of a shell that is just starting another one, Slurm may miss that when it ends the job.
    options = ["--parsable", "--output=/dev/null", "--mem=300M"]
    job = cluster.run("sbatch", *options, "--wrap=exec sleep 600").strip()
    assert cluster.job(job)["MinMemoryNode"] == "300M"
    assert [row.job for row in cluster.queue()] == [job]
    cluster.run("scancel", job)
    assert cluster.wait_for_job(job)["JobState"] == "CANCELLED"


def test_an_allocation_is_visible_in_the_environment(cluster: Cluster, allocation: dict[str, str]) -> None:
    assert os.environ["SLURM_JOB_NUM_NODES"] == allocation["SLURM_JOB_NUM_NODES"] == "2"
    assert cluster.job(allocation["SLURM_JOB_ID"])["JobState"] == "RUNNING"
