# SPDX-License-Identifier: BSD-3-Clause
"""Flux for the tests of this folder. They are skipped where there is none, and say so."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest
from flux_nodes import FLUX, NODES, RESOURCES, Instance, start, stop
from ways import relay_always

from swiftlet import FluxJobExecutor


@pytest.fixture(scope="session")
def four_nodes() -> Iterator[Instance]:
    """One instance for the session; use `instance`."""
    if FLUX is None:
        pytest.skip("no Flux on this machine: there is no command flux in PATH")
    with tempfile.TemporaryDirectory(prefix="flux-tests-") as name:
        directory = Path(name)
        (directory / "conf").mkdir()
        (directory / "conf" / "resources.toml").write_text(RESOURCES)
        process, uri = start(
            directory,
            f"--test-size={NODES}",
            f"--test-hosts=node[0-{NODES - 1}]",
            f"--config-path={directory / 'conf'}",
        )
        yield Instance(uri)
        stop(process, uri)


@pytest.fixture(autouse=True)
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """How workers behind agents are reached: directly, for they are near, where a test does not say else."""
    way: str = getattr(request, "param", "near")
    if way == "relayed":
        relay_always(monkeypatch)
    return way


@pytest.fixture
def instance(four_nodes: Instance, monkeypatch: pytest.MonkeyPatch) -> Iterator[Instance]:
    """The instance as the one this program runs in. A test leaves nothing in it."""
    monkeypatch.setenv("FLUX_URI", four_nodes.uri)
    yield four_nodes
    four_nodes.wait_until_idle()


@pytest.fixture
def own_instance(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Instance, int]]:
    """An instance that the test may break, and the process of its broker."""
    if FLUX is None:
        pytest.skip("no Flux on this machine: there is no command flux in PATH")
    with tempfile.TemporaryDirectory(prefix="flux-own-") as name:
        process, uri = start(Path(name))
        monkeypatch.setenv("FLUX_URI", uri)
        yield Instance(uri), process.pid
        if process.poll() is None:
            stop(process, uri)


@pytest.fixture
def make(instance: Instance) -> Callable[..., FluxJobExecutor]:
    return partial(FluxJobExecutor, hostname_localhost=True)


@pytest.fixture
def executor(make: Callable[..., FluxJobExecutor]) -> Iterator[FluxJobExecutor]:
    with make() as executor:
        yield executor
