# SPDX-License-Identifier: BSD-3-Clause
"""Flux inside an allocation of Slurm (docs/guides/flux.md): both real, a broker on each of two nodes."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import textwrap
import uuid
from collections.abc import Iterator
from pathlib import Path

import flux_work as work
import pytest
from flux_nodes import FLUX
from marked_processes import MARK, gone_within, processes_with

sys.path.append(str(Path(__file__).resolve().parents[1] / "slurm"))

from slurm_cluster import Cluster, NoSlurmHere

EXAMPLE = Path(__file__).resolve().parents[3] / "examples" / "python" / "flux_in_slurm.py"
PATIENCE = 100


@pytest.fixture(scope="module")
def slurm() -> Iterator[Cluster]:
    if FLUX is None:
        pytest.skip("no Flux on this machine: there is no command flux in PATH")
    cluster = Cluster()
    try:
        cluster.up()
    except NoSlurmHere as why:
        pytest.skip(f"no Slurm on this machine: {why}")
    yield cluster
    cluster.down()


def start(slurm: Cluster, *arguments: str, mark: str = "") -> subprocess.Popen[str]:
    """A Python program in a Flux instance on two nodes of Slurm, all of it on the loopback interface."""
    allocation = ["salloc", "--quiet", "--nodes=2", "--exclusive", "--job-name=with-flux"]
    brokers = ["srun", "--ntasks-per-node=1", "--mpi=pmi2", "flux", "start", "-Stbon.interface-hint=lo"]
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("FLUX_", "SLURM"))}
    environment |= {"SLURM_CONF": str(slurm.configuration), "SWIFTLET_ADDRESS": "127.0.0.1", MARK: mark}
    command = [*allocation, *brokers, sys.executable, *arguments]
    return subprocess.Popen(
        command, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True
    )


def program(code: str) -> list[str]:
    """Arguments of Python that run the code, which finds `flux_work`."""
    first = f"import sys; sys.path.insert(0, {str(Path(work.__file__).parent)!r})\n"
    return ["-c", first + textwrap.dedent(code)]


def test_the_example(slurm: Cluster) -> None:
    process = start(slurm, str(EXAMPLE))
    output, _ = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0
    assert re.fullmatch(r"π = 3\.141593\ncomputed on [12] nodes\n", output)


def test_ranks_on_two_brokers_and_calls_that_fail(slurm: Cluster) -> None:
    pytest.importorskip("mpi4py")
    code = """
        import flux_work as work
        from swiftlet import FluxJobExecutor, WorkerLostError
        with FluxJobExecutor() as executor:
            ranks = executor.submit(work.rank_and_broker, resource_dict={"cores": 2, "num_nodes": 2})
            lost = executor.submit(work.exits, 42)
            assert [executor.submit(work.square, n).result() for n in range(9)] == [n * n for n in range(9)]
            assert lost.exception().exit_status == 42
            print(len(set(ranks.result())), sorted(rank for rank, _ in ranks.result()))
    """
    process = start(slurm, *program(code))
    output, _ = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0
    assert output == "2 [0, 1]\n"


def test_when_slurm_ends_the_allocation_nothing_is_left(slurm: Cluster, tmp_path: Path) -> None:
    mark = uuid.uuid4().hex
    told, held = str(tmp_path / "told"), str(tmp_path / "held")
    os.mkfifo(told)
    os.mkfifo(held)
    code = f"""
        import flux_work as work
        from swiftlet import FluxJobExecutor
        with FluxJobExecutor() as executor:
            executor.submit(work.tells_and_opens, {told!r}, {held!r}).result()
    """
    process = start(slurm, *program(code), mark=mark)
    with open(told) as pipe:
        pipe.read()
    assert processes_with(mark)
    environment = {**os.environ, "SLURM_CONF": str(slurm.configuration)}
    subprocess.run(["scancel", "--name=with-flux"], env=environment, check=True)
    process.communicate(timeout=PATIENCE)
    assert gone_within(60, mark) == []
