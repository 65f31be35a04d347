# SPDX-License-Identifier: BSD-3-Clause
"""An instance that belongs to somebody else wants signed jobs: the ``flux`` command submits them, and each is
watched by its own log. Here the executors are told so of an instance of our own.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import flux_work as work
import pytest
from flux_nodes import CORES_PER_NODE, Instance

from swiftlet import FluxClusterExecutor, FluxJobExecutor, WorkerLostError, _flux_instance, _flux_submit

PATIENCE = 120


@pytest.fixture
def submitted(instance: Instance, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The ids of the jobs that the command has submitted."""
    found = _flux_instance.instance()
    monkeypatch.setattr(_flux_instance, "instance", lambda: dataclasses.replace(found, owned=False))
    by_command = _flux_submit.FluxSubmitter._by_command
    ids: list[str] = []

    def record(self: Any, jobspec: str, urgency: int) -> str:
        ids.append(by_command(self, jobspec, urgency))
        return ids[-1]

    monkeypatch.setattr(_flux_submit.FluxSubmitter, "_by_command", record)
    return ids


def test_calls_on_shared_cores_and_as_jobs(submitted: list[str]) -> None:
    step: Any = {"step": True}
    with FluxJobExecutor(hostname_localhost=True) as executor:
        assert executor.submit(work.square, 3).result(PATIENCE) == 9
        assert executor.submit(work.square, 4, resource_dict=step).result(PATIENCE) == 16
        with pytest.raises(WorkerLostError) as lost:
            executor.submit(work.exits, 3, resource_dict=step).result(PATIENCE)
        assert lost.value.exit_status == 3
        wide: Any = {"threads_per_core": CORES_PER_NODE + 1}
        with pytest.raises(Exception, match="unsatisfiable request"):
            executor.submit(work.square, 5, resource_dict=wide).result(PATIENCE)
    assert len(submitted) >= 4


def test_cluster_calls(submitted: list[str], tmp_path: Path) -> None:
    with FluxClusterExecutor(cache_directory=str(tmp_path)) as executor:
        total = executor.submit(work.add, executor.submit(work.square, 3), 1)
        lost = executor.submit(work.exits, 3)
        assert total.result(PATIENCE) == 10
        with pytest.raises(WorkerLostError, match="exited with status 3"):
            lost.result(PATIENCE)
        unknown: Any = {"queue": "nowhere"}
        with pytest.raises(Exception, match=r"Flux refuses its job: .*queue"):
            executor.submit(work.square, 5, resource_dict=unknown).result(PATIENCE)
    assert len(submitted) == 3


def test_warm_workers(submitted: list[str], tmp_path: Path) -> None:
    with FluxClusterExecutor(
        cache_directory=str(tmp_path), block_allocation=True, max_workers=2, hostname_localhost=True
    ) as executor:
        assert list(executor.map(work.square, range(20))) == [number * number for number in range(20)]
    assert len(submitted) == 2


def test_scripts(submitted: list[str], tmp_path: Path) -> None:
    pytest.importorskip("jinja2")
    template = "#!/bin/bash\n#flux: -n1 --output=/dev/null\n{{command}}\n"
    with FluxClusterExecutor(cache_directory=str(tmp_path)) as executor:
        script: Any = {"submission_template": template}
        assert executor.submit(work.square, 3, resource_dict=script).result(PATIENCE) == 9
    assert submitted == []  # flux batch signs by itself
