# SPDX-License-Identifier: BSD-3-Clause
"""Groups of real MPI ranks: MPICH in the usual environment, Open MPI by ``scripts/test-mpi``."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from swiftlet import SingleNodeExecutor, _mpi


@pytest.fixture
def make() -> Iterator[Callable[..., SingleNodeExecutor]]:
    """Makes executors for calls of two ranks; they are shut down at the end."""
    made: list[SingleNodeExecutor] = []

    def make(warm: bool, **options: Any) -> SingleNodeExecutor:
        resources = {"cores": 2, "openmpi_oversubscribe": True, **options.pop("resource_dict", {})}
        if warm:
            options = {"block_allocation": True, "max_workers": 1, **options}
        elif "max_workers" not in options:
            options = {"max_cores": 4, **options}
        made.append(SingleNodeExecutor(resource_dict=resources, **options))
        return made[-1]

    yield make
    for executor in made:
        executor.shutdown(wait=True, cancel_futures=True)


@pytest.fixture(params=[False, True], ids=["fresh", "warm"])
def warm(request: pytest.FixtureRequest) -> bool:
    """A new group for each call, or one that stays."""
    return bool(request.param)


@pytest.fixture
def executor(make: Callable[..., SingleNodeExecutor], warm: bool) -> SingleNodeExecutor:
    """Calls of two ranks."""
    return make(warm)


@pytest.fixture
def failing_launcher(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[int], Path]:
    """Has the launcher of ranks fail as often as is said, before it starts one. The file has a line for each
    time that it was called.
    """

    def fail(times: int) -> Path:
        calls, launcher = tmp_path / "launches", tmp_path / "mpiexec"
        launcher.write_text(
            f"""#!/bin/sh
if [ "$1" != --version ]; then
    echo x >> '{calls}'
    if [ $(wc -l < '{calls}') -le {times} ]; then echo out of memory >&2; exit 15; fi
fi
exec '{_mpi.find().program}' "$@"
"""
        )
        launcher.chmod(0o755)
        monkeypatch.setenv(_mpi.VARIABLE, str(launcher))
        return calls

    return fail
