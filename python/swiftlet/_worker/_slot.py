# SPDX-License-Identifier: BSD-3-Clause
"""The slot of a worker: its cores, GPUs and memory, and what of it is in the environment.

``SWIFTLET_SLOT`` holds it as JSON; an executor made inside a call finds its node there. It is no secret.
"""

from __future__ import annotations

import contextlib
import json
import os
from os import putenv
from typing import Any

from swiftlet._current import VARIABLE, numbers

_LOCAL_RANK = ("MPI_LOCALRANKID", "OMPI_COMM_WORLD_LOCAL_RANK", "SLURM_LOCALID", "FLUX_TASK_LOCAL_ID")
_RANK = ("PMI_RANK", "OMPI_COMM_WORLD_RANK", "PMIX_RANK", "SLURM_PROCID", "FLUX_TASK_RANK")
_NODE = ("SLURM_NODEID",)
_IDENTITY = (
    "PMI_",
    "PMIX_",
    "PALS_",
    "OMPI_COMM_",
    "MPI_LOCAL",
    "FLUX_TASK_",
    "SLURM_PROCID",
    "SLURM_LOCALID",
    "SLURM_NODEID",
)

_environment: dict[bytes, bytes] = os.environ._data  # type: ignore[attr-defined]

overlay: dict[str, str] = {}
"""Variables that stay as they are, whatever a call's surroundings say."""


def set_variables(variables: dict[str, str]) -> None:
    """Sets variables that every call in this process sees."""
    overlay.update(variables)
    os.environ.update(variables)


def take(words: list[str], cores: str) -> None:
    """A forked worker's: sets ``NAME=value`` variables and the cores it may use."""
    # Not by `os.environ`: of what a child does before its call that would touch most memory.
    for word in words:
        name, _, value = word.partition("=")
        overlay[name] = value
        key, content = name.encode("utf-8", "surrogateescape"), value.encode("utf-8", "surrogateescape")
        putenv(key, content)
        _environment[key] = content
    if cores:
        pin(numbers(cores))


def take_as_rank() -> None:
    """A rank's: of its group's slot it takes its own part, before MPI or anything else starts."""
    for name, value in os.environ.items():
        if name.startswith(_IDENTITY):
            overlay[name] = value
    text = os.environ.get(VARIABLE)
    if text is None:
        return
    slot = json.loads(text)
    rank = _number(_LOCAL_RANK)
    if rank is None:
        rank = launched_as()
    nodes = slot["nodes"]
    node = nodes[min(_number(_NODE) or 0, len(nodes) - 1)]
    ranks = max(1, node["ranks"])
    cores, gpus = _part(numbers(node["cores"]), rank, ranks), _part(node["gpus"], rank, ranks)
    own = {
        "ranks": 1,
        "core_count": max(1, node["core_count"] // ranks),
        "cores": ",".join(map(str, cores)),
        "gpus": gpus,
        "memory": node["memory"] // ranks,
    }
    name = f"{slot['name']}-{launched_as()}"
    variables = {VARIABLE: json.dumps({**slot, "name": name, "nodes": [{**node, **own}]})}
    if slot.get("gpu_variable"):
        variables[slot["gpu_variable"]] = ",".join(gpus)
    pin(cores)
    set_variables(variables)


def is_step() -> bool:
    """Whether the engine started this process as a job step of its own. To ask before the environment is
    the call's.
    """
    return "SWIFTLET_STEP" in os.environ


def launched_as() -> int:
    """The number that the launcher gave this process; MPI may see it otherwise."""
    return _number(_RANK) or 0


def _part(whole: list[Any], rank: int, ranks: int) -> list[Any]:
    size = len(whole) // ranks
    return whole[rank * size : (rank + 1) * size]


def pin(cores: list[int]) -> None:
    """This process, and what it starts, runs on these cores; on all it has where there are none."""
    if cores:
        with contextlib.suppress(OSError):  # the core was taken from the whole job meanwhile
            os.sched_setaffinity(0, cores)


def _number(names: tuple[str, ...]) -> int | None:
    for name in names:
        value = os.environ.get(name, "")
        if value.isdigit():
            return int(value)
    return None
