# SPDX-License-Identifier: BSD-3-Clause
"""FluxClusterExecutor: what becomes of calls whose instance is killed, or shuts down."""

from __future__ import annotations

import os
import signal
import uuid
from pathlib import Path
from typing import Any

import flux_work as work
import pytest
from flux_nodes import Instance
from marked_processes import MARK, gone_within

from swiftlet import FluxClusterExecutor

PATIENCE = 60
SCRIPT = "#!/bin/bash\n#flux: -n1 --output=/dev/null\n{{command}}\n"
KINDS: dict[str, dict[str, Any]] = {
    "task": {},
    "ranks": {"resource_dict": {"cores": 2}},
    "instance": {"resource_dict": {"nesting": True}},
    "script": {"resource_dict": {"submission_template": SCRIPT}},
    "warm": {"block_allocation": True, "max_workers": 1},
}


@pytest.fixture(params=KINDS)
def options(request: pytest.FixtureRequest) -> dict[str, Any]:
    if request.param == "ranks":
        pytest.importorskip("mpi4py")
    if request.param == "script":
        pytest.importorskip("jinja2")
    return KINDS[request.param]


def tells_and_opens(told: str, held: str) -> str:
    """Rank 0 tells that it runs."""
    if os.environ.get("PMI_RANK", "0") == "0":
        return work.tells_and_opens(told, held)
    return work.opens(held)


@pytest.fixture
def pipes(tmp_path: Path) -> tuple[str, str]:
    told, held = str(tmp_path / "told"), str(tmp_path / "held")
    os.mkfifo(told)
    os.mkfifo(held)
    return told, held


def test_when_the_broker_is_killed_no_task_survives(
    own_instance: tuple[Instance, int],
    options: dict[str, Any],
    pipes: tuple[str, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    mark = uuid.uuid4().hex
    monkeypatch.setenv(MARK, mark)
    instance, _ = own_instance
    broker = int(instance.run("getattr", "broker.pid"))
    with FluxClusterExecutor(cache_directory=str(tmp_path / "cache"), **options) as executor:
        future = executor.submit(tells_and_opens, *pipes)
        dependant = executor.submit(str, future)
        with open(pipes[0]) as pipe:
            pipe.read()
        os.kill(broker, signal.SIGKILL)
        for ended in (future, dependant):
            with pytest.raises(Exception, match=r"lost: .*broker"):
                ended.result(PATIENCE)
    assert gone_within(30, mark) == []


def test_when_the_instance_shuts_down_every_call_ends(
    own_instance: tuple[Instance, int], options: dict[str, Any], pipes: tuple[str, str], tmp_path: Path
) -> None:
    instance, _ = own_instance
    with FluxClusterExecutor(cache_directory=str(tmp_path / "cache"), **options) as executor:
        future = executor.submit(tells_and_opens, *pipes)
        with open(pipes[0]) as pipe:
            pipe.read()
        instance.run("shutdown", "--background")
        with pytest.raises(Exception, match=r"was cancelled|is lost|node .* was lost"):
            future.result(PATIENCE)
