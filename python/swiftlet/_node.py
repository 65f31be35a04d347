# SPDX-License-Identifier: BSD-3-Clause
"""This node as its calls may use it: cores, GPUs and memory; inside a call, what its slot has of them."""

from __future__ import annotations

import glob
import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from swiftlet._current import VARIABLE, numbers
from swiftlet._errors import ResourceError
from swiftlet._quota import memory_limit, quota_of_cores

GPUS = "SWIFTLET_GPUS"
_CUDA = "CUDA_VISIBLE_DEVICES"
_ROCR = "ROCR_VISIBLE_DEVICES"


@dataclass(frozen=True)
class Node:
    """What this process may use of its node."""

    cores: int
    """How many cores its calls may use together."""
    domains: tuple[tuple[int, ...], ...]
    """The numbers of the cores it may run on, by NUMA domain."""
    owned: bool
    """Whether these cores are its alone: those of its slot, or of the job it runs in."""
    gpus: tuple[str, ...]
    """In the vendor's words."""
    gpu_variable: str | None
    """The variable that says which GPUs a process sees; None where there are none."""
    memory: int | None
    """Bytes; None if unknown."""
    level: str = ""
    """The name of the slot it is; empty for a whole node."""

    @property
    def numbers(self) -> tuple[int, ...]:
        """The cores of all domains."""
        return tuple(core for domain in self.domains for core in domain)

    def words(self, pinned: Iterable[int] | None) -> str:
        """As CONFIGURE describes it. ``pinned``: the cores that are handed out by number; None: they are
        counted.
        """
        words = []
        if pinned is not None:
            wanted = set(pinned)
            domains = [[core for core in domain if core in wanted] for domain in self.domains]
            words.append("core_ids=" + "/".join(",".join(map(str, domain)) for domain in domains if domain))
        if self.gpus:
            words.append("gpus=" + ",".join(self.gpus))
        if self.memory is not None:
            words.append(f"memory={self.memory}")
        return " ".join(words)


def this_node(gpus: int | Iterable[str | int] | None = None) -> Node:
    """The node, or the slot, that this process runs on. ``gpus``: declared by the user instead of detected.

    ``ResourceError`` if the declaration makes no sense.
    """
    node = _whole_node()
    slot = _slot()
    if slot is not None:
        node = _within(node, slot)
    declared = gpus if gpus is not None else os.environ.get(GPUS)
    if declared is not None:
        words = declared_gpus(declared)
        node = replace(node, gpus=words, gpu_variable=(node.gpu_variable or _vendor()) if words else None)
    return node


def declared_gpus(declared: int | str | Iterable[str | int]) -> tuple[str, ...]:
    """The words of a declaration: a number of GPUs, or their names."""
    if isinstance(declared, bool):
        raise ResourceError(f"gpus has to be a number or a list of names, not {declared!r}")
    if isinstance(declared, str):
        declared = int(declared) if declared.isdigit() else [word.strip() for word in declared.split(",")]
    if isinstance(declared, int):
        if not 0 <= declared <= 1024:
            raise ResourceError(f"gpus has to be at least 0 and at most 1024, not {declared}")
        return tuple(map(str, range(declared)))
    words = tuple(str(word) for word in declared if str(word))
    if any(set(word) & set(" ,\0") for word in words) or len(set(words)) < len(words):
        raise ResourceError(f"gpus has to be a list of different names without blanks, not {list(words)!r}")
    return words


def _whole_node() -> Node:
    try:
        mask = sorted(os.sched_getaffinity(0))
    except (AttributeError, OSError):
        mask = list(range(os.cpu_count() or 1))
    quota = quota_of_cores()
    cores = len(mask) if quota is None else max(1, min(len(mask), int(quota)))
    gpus, variable = _found_gpus(os.environ)
    return Node(cores, _by_domain(mask), _job_owns(mask, os.environ), gpus, variable, memory_limit())


def _within(node: Node, slot: Mapping[str, Any]) -> Node:
    place = slot["nodes"][0]
    mine = set(numbers(place["cores"]))
    cut = (tuple(core for core in domain if not mine or core in mine) for domain in node.domains)
    domains = tuple(filter(None, cut))
    memory = place["memory"] or None
    return replace(
        node,
        cores=min(node.cores, place["core_count"]) or 1,
        domains=domains or node.domains,
        owned=bool(mine),
        gpus=tuple(place["gpus"]),
        gpu_variable=slot["gpu_variable"],
        memory=node.memory if memory is None else min(memory, node.memory or memory),
        level=slot["name"],
    )


def _slot() -> Mapping[str, Any] | None:
    text = os.environ.get(VARIABLE)
    if text is None:
        return None
    try:
        slot: Mapping[str, Any] = json.loads(text)
        if slot["nodes"][0]["core_count"] >= 1:
            return slot
    except (ValueError, LookupError, TypeError):
        pass
    return None


def _job_owns(mask: list[int], environment: Mapping[str, str]) -> bool:
    """Whether a batch system gave these cores to the job alone: it bound the job to no more than it granted.

    A job that is bound to nothing sees the whole node, and shares it with others.
    """
    granted = environment.get("SLURM_CPUS_ON_NODE", "")
    return "SLURM_JOB_ID" in environment and granted.isdigit() and len(mask) <= int(granted)


def _found_gpus(environment: Mapping[str, str]) -> tuple[tuple[str, ...], str | None]:
    for variable in (_CUDA, _ROCR):
        words = environment.get(variable)
        if words is not None:
            names = tuple(word for word in words.split(",") if word not in ("", "-1", "NoDevFiles"))
            return names, variable
    nvidia = [path for path in glob.glob("/dev/nvidia[0-9]*") if path[len("/dev/nvidia") :].isdigit()]
    if nvidia:
        return tuple(map(str, range(len(nvidia)))), _CUDA
    amd = sum(
        _read(path) not in ("", "0") for path in glob.glob("/sys/class/kfd/kfd/topology/nodes/*/gpu_id")
    )
    return (tuple(map(str, range(amd))), _ROCR) if amd else ((), None)


def _vendor() -> str:
    """The variable for declared GPUs where none was found."""
    return _ROCR if os.path.exists("/dev/kfd") and not os.path.exists("/dev/nvidiactl") else _CUDA


def _by_domain(mask: list[int]) -> tuple[tuple[int, ...], ...]:
    left = set(mask)
    domains = []
    for path in sorted(glob.glob("/sys/devices/system/node/node[0-9]*/cpulist")):
        domain = tuple(core for core in numbers(_read(path)) if core in left)
        left -= set(domain)
        if domain:
            domains.append(domain)
    if left:
        domains.append(tuple(sorted(left)))
    return tuple(domains)


def _read(path: str) -> str:
    try:
        with open(path) as file:
            return file.read().strip()
    except OSError:
        return ""
