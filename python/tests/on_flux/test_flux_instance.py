# SPDX-License-Identifier: BSD-3-Clause
"""How an executor finds its Flux instance. The first tests need no Flux."""

from __future__ import annotations

import os
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from flux_nodes import CORES_PER_NODE, GPUS_PER_NODE, NODES, Instance

from swiftlet import AllocationError, FluxClusterExecutor, FluxJobExecutor, _flux_instance


def test_what_an_instance_has(instance: Instance) -> None:
    found = _flux_instance.instance()
    assert [node.name for node in found.nodes] == [f"node{number}" for number in range(NODES)]
    assert found.cores == NODES * CORES_PER_NODE
    assert found.gpus == NODES * GPUS_PER_NODE
    assert found.owned
    assert found.uri == instance.uri


def test_other_uris_are_resolved_by_the_flux_command(
    instance: Instance, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = instance.run("submit", "--ntasks=1", "flux", "start", "sleep", "inf").strip()
    try:
        instance.run("job", "wait-event", "--match-context=uri", "--timeout=30", job, "memo")
    except AssertionError:
        instance.run("job", "wait-event", "--timeout=30", job, "memo")
    try:
        monkeypatch.setenv("FLUX_URI", instance.uri)
        inner = _flux_instance.local_uri(f"jobid:{job}")
        assert inner is not None
        assert inner.startswith("local://")
        assert inner != instance.uri
        with pytest.raises(AllocationError, match="does not resolve it"):
            _flux_instance.local_uri("jobid:f1")
    finally:
        instance.run("cancel", job)


def test_the_uri_of_a_remote_shell_is_that_of_a_broker_here(
    instance: Instance, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = instance.uri.removeprefix("local://")
    monkeypatch.setenv("FLUX_URI", f"ssh://{os.uname().nodename}{path}")
    found = _flux_instance.instance()
    assert found.uri == instance.uri
    assert found.cores == NODES * CORES_PER_NODE


def test_the_instances_around_this_one(instance: Instance) -> None:
    program = """
import os
from swiftlet import _flux_instance
print(_flux_instance.local_uri(".."), _flux_instance.local_uri("/"), os.environ["FLUX_URI"])
"""
    parent, root, own = instance.run("run", "-n1", "flux", "start", sys.executable, "-c", program).split()
    assert parent == root == instance.uri
    assert own != parent


def test_a_remote_instance_that_is_not_here_says_what_to_do(
    instance: Instance, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("FLUX_URI", f"ssh://elsewhere{tmp_path}/socket")
    with pytest.raises(AllocationError, match="hint: run this program"):
        FluxClusterExecutor(cache_directory=str(tmp_path))


def test_without_an_instance_the_error_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FLUX_URI", f"local://{tmp_path}/nothing")
    with pytest.raises(AllocationError, match="hint: run this program inside an instance"):
        FluxClusterExecutor(cache_directory=str(tmp_path))


def test_a_uri_that_only_flux_can_resolve_needs_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(AllocationError, match="no flux command in PATH"):
        _flux_instance.local_uri("ssh://host/tmp/sock")


def test_a_job_id_is_one_of_the_machines_own_instance(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    command = tmp_path / "flux"
    command.write_text('#!/bin/sh\necho "local://${FLUX_URI:-the-own-instance}"\n')
    command.chmod(0o700)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    monkeypatch.setenv("FLUX_URI", "jobid:f1")
    assert _flux_instance.local_uri("jobid:f1") == "local://the-own-instance"


def test_a_uri_that_is_none_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    command = tmp_path / "flux"
    command.write_text("#!/bin/sh\necho no such scheme >&2\nexit 1\n")
    command.chmod(0o700)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    with pytest.raises(AllocationError, match=r"FLUX_URI='foo://x' .*no such scheme\nhint: .*flux uri"):
        _flux_instance.local_uri("foo://x")


@pytest.mark.parametrize("mode", ["pmix", "pmi1", "pmi2", None])
def test_pmi_modes(mode: str | None) -> None:
    _flux_instance.check_pmi_mode(mode)


def test_an_unknown_pmi_mode_is_refused() -> None:
    with pytest.raises(ValueError, match=r"The pmi parameter supports \[pmix, pmi1, pmi2\], but not: foo"):
        _flux_instance.check_pmi_mode("foo")


class OnlySubmits:
    def submit(self, jobspec: str) -> None:
        """A ``flux.job.FluxExecutor`` can attach to jobs, too."""


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (True, "not a bool"),
        ("local:///run/flux", "not a str"),
        (ThreadPoolExecutor, "not the class ThreadPoolExecutor"),
        (OnlySubmits(), "not a OnlySubmits"),
    ],
)
def test_a_flux_executor_that_is_none(wrong: Any, words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLUX_URI", "local:///nowhere")  # it is not even asked
    with pytest.raises(TypeError, match=rf"flux_executor has to be a flux\.job\.FluxExecutor .*{words}"):
        FluxJobExecutor(flux_executor=wrong)
