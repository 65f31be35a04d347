# SPDX-License-Identifier: BSD-3-Clause
"""Which instance of Flux an executor uses, and what that has."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from dataclasses import dataclass

from swiftlet._engine_process import find_binary
from swiftlet._errors import AllocationError

_PATIENCE = 90.0
PMI_MODES = ("pmix", "pmi1", "pmi2")


@dataclass(frozen=True)
class FluxNode:
    """A node of an instance."""

    name: str
    cores: int
    gpus: int


@dataclass(frozen=True)
class FluxInstance:
    """An instance of Flux, as it was when it was asked."""

    uri: str | None
    """Its local URI; None for the machine's own."""
    nodes: tuple[FluxNode, ...]
    free_cores: int
    owned: bool
    """It belongs to this user: submissions need no signature."""
    version: str

    @property
    def cores(self) -> int:
        """Of all nodes."""
        return sum(node.cores for node in self.nodes)

    @property
    def gpus(self) -> int:
        """Of all nodes."""
        return sum(node.gpus for node in self.nodes)

    @property
    def is_here(self) -> bool:
        """All of it is on this machine, so workers reach this process by a socket in the file system."""
        here = os.uname().nodename
        return all(node.name in (here, here.partition(".")[0]) for node in self.nodes)


def instance() -> FluxInstance:
    """The instance this program runs in (FLUX_URI), else the machine's.

    ``AllocationError`` if it cannot be reached, with what to do.
    """
    uri = local_uri(os.environ.get("FLUX_URI"))
    try:
        answer = subprocess.run(
            [find_binary(), "flux", *([uri] if uri else [])],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_PATIENCE,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise AllocationError(f"the Flux instance cannot be asked: {error}") from error
    if answer.returncode != 0:
        raise AllocationError(answer.stderr.decode(errors="replace").strip())
    facts = json.loads(answer.stdout)
    nodes = tuple(FluxNode(node["name"], node["cores"], node["gpus"]) for node in facts["nodes"])
    return FluxInstance(uri, nodes, facts["free_cores"], facts["owned"], facts["version"])


def local_uri(uri: str | None) -> str | None:
    """A URI as one of a local socket. What is none (``ssh://…``, ``slurm:…``, the id of a job that is an
    instance) is resolved by the ``flux`` command.

    ``AllocationError`` if that cannot be done.
    """
    if not uri or uri.startswith("local://"):
        return uri or None
    program = shutil.which("flux")
    if program is None:
        raise AllocationError(
            f"FLUX_URI={uri!r} is no local URI, and there is no flux command in PATH that could resolve it"
        )
    # What is to be resolved is not where to look: a job's id is one of the machine's own instance.
    environment = {name: value for name, value in os.environ.items() if (name, value) != ("FLUX_URI", uri)}
    answer = subprocess.run(
        [program, "uri", "--local", uri],
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
    )
    found = answer.stdout.decode(errors="replace").strip()
    if answer.returncode != 0 or not found.startswith("local://"):
        raise AllocationError(
            f"FLUX_URI={uri!r} is no local URI, and `flux uri --local {uri}` does not resolve it: "
            f"{answer.stderr.decode(errors='replace').strip() or found}\n"
            "hint: run this program on a node of the instance, with what `flux uri --local` says there as "
            "FLUX_URI"
        )
    return found


def check_pmi_mode(pmi_mode: str | None) -> None:
    """``ValueError`` for a word that stands for no PMI."""
    if pmi_mode is not None and pmi_mode not in PMI_MODES:
        raise ValueError(f"The pmi parameter supports [pmix, pmi1, pmi2], but not: {pmi_mode}")
