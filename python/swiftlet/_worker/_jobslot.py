# SPDX-License-Identifier: BSD-3-Clause
"""The slot of a call that is a job: what its system has granted, else what it asked for."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping
from typing import Any

from swiftlet import _current
from swiftlet._worker import _slot

_GPUS = ("CUDA_VISIBLE_DEVICES", "ROCR_VISIBLE_DEVICES")


def take(resources: Mapping[str, Any]) -> None:
    """In the call's process: an executor made there has the slot as its node, and ``current_task`` tells of
    it. A job may outlive the executor in which calls have numbers: its number is 0.
    """
    begin(resources)
    variables = {_current.VARIABLE: json.dumps(slot_of(resources, os.environ, _cores_bound_to()))}
    _slot.set_variables(variables)


def begin(resources: Mapping[str, Any]) -> None:
    """``current_task`` knows of the call."""
    limit = resources.get("time_limit")
    _current.set_running((0, 1, None if limit is None else time.time() + limit))


def slot_of(
    resources: Mapping[str, Any], environment: Mapping[str, str], bound_to: list[int]
) -> dict[str, Any]:
    """As ``SWIFTLET_SLOT`` has it. ``bound_to``: the cores that this process may run on.

    A script of the user's may ask for more than the call: what Slurm granted counts.
    """
    threads = resources.get("threads_per_core", 1)
    granted = environment.get("SLURM_CPUS_ON_NODE", "") if "SLURM_JOB_ID" in environment else ""
    count = max(1, int(granted)) if granted.isdigit() else resources.get("cores", 1) * threads
    variable: str | None = None
    if resources.get("gpus_per_core") or "SLURM_JOB_GPUS" in environment:
        variable = next((name for name in _GPUS if name in environment), None)
    gpus = environment[variable].split(",") if variable else []
    node = {
        "name": environment.get("SLURMD_NODENAME") or os.uname().nodename,
        "ranks": 1,
        "core_count": count,
        "cores": ",".join(map(str, bound_to)) if len(bound_to) <= count else "",
        "gpus": gpus,
        "memory": resources.get("memory", 0),
    }
    name = f"job-{environment.get('SLURM_JOB_ID', os.getpid())}"
    return {"name": name, "threads_per_core": threads, "gpu_variable": variable, "nodes": [node]}


def _cores_bound_to() -> list[int]:
    return sorted(os.sched_getaffinity(0))
