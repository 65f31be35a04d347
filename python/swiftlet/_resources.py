# SPDX-License-Identifier: BSD-3-Clause
"""``resource_dict``: what a call needs. Every key is honoured or refused by name, none is ignored."""

from __future__ import annotations

import difflib
import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, TypedDict, Union

from swiftlet._errors import ResourceError
from swiftlet._node import this_node


class ResourceDict(TypedDict, total=False):
    """The legal keys. All may be None, which is as if they were absent."""

    cores: int | None
    """MPI ranks (1)."""
    threads_per_core: int | None
    """Threads of each rank (1): counts against ``max_cores`` and sets OMP_NUM_THREADS and its kin."""
    gpus_per_core: int | None
    """GPUs of each rank (0)."""
    cwd: str | None
    """The directory the call runs in; made if it is missing."""
    cache_key: str | None
    """The name of the call's entry in the cache."""
    cache_directory: str | None
    """Where results are kept for later programs."""
    num_nodes: int | None
    """Nodes over which the ranks are spread."""
    exclusive: bool | None
    """Nothing else runs on the nodes."""
    error_log_file: str | None
    """A file to which function, arguments and traceback of a call that raises are appended."""
    run_time_max: float | None
    """Seconds after which a running call is ended."""
    priority: int | None
    """Calls with a larger number are started first (0)."""
    slurm_cmd_args: list[str] | None
    """More arguments for Slurm's command."""
    submission_template: str | None
    """Template of a batch script."""
    openmpi_oversubscribe: bool | None
    """Lets Open MPI start more ranks than there are cores."""
    memory_max: float | None
    """GB (1024³ bytes) of memory on each node: counted, and a limit."""
    mpi_result: str | None
    """What a call on several ranks gives: ``"all"``, the list by rank (the default), or ``"root"``, the
    value of
    rank 0."""
    pin: bool | None
    """Whether the call gets cores of its own and runs on no others."""
    step: bool | None
    """SlurmJobExecutor: the call is a job step of its own (False), as calls on several cores always are."""
    restart_limit: int | None
    """How often a call that was running when its worker died is started again (0)."""


Number = Union[int, float]

_LIMITS: dict[str, tuple[type, Number, Number]] = {
    "cores": (int, 1, 1_000_000),
    "threads_per_core": (int, 1, 100_000),
    "gpus_per_core": (int, 0, 1_000),
    "num_nodes": (int, 1, 1_000_000),
    "run_time_max": (float, 0, 10 * 366 * 86400),
    "memory_max": (float, 0, 2**20),
    "priority": (int, -(2**31), 2**31 - 1),
    "restart_limit": (int, 0, 1_000_000),
}
_TEXTS = ("cwd", "cache_key", "cache_directory", "error_log_file", "submission_template")
_SWITCHES = ("exclusive", "openmpi_oversubscribe", "pin", "step")
_CHOICES = {"mpi_result": ("all", "root")}
_UNITS = {"run_time_max": "a number of seconds", "memory_max": "a number of GB"}
_GB = 2**30
_DEFAULTS = {
    "cores": 1,
    "gpus_per_core": 0,
    "num_nodes": 1,
    "exclusive": False,
    "openmpi_oversubscribe": False,
    "mpi_result": "all",
    "pin": False,
    "step": False,
    "slurm_cmd_args": [],
}
KEYS = tuple(ResourceDict.__annotations__)

_FIELDS = frozenset((*KEYS, "cache_prefix"))

TOO_MANY_CORES = "The specified number of cores is larger than the available number of cores."


@dataclass(frozen=True)
class Resources:
    """Validated resources of one call."""

    cores: int = 1
    threads_per_core: int | None = None
    cwd: str | None = None
    error_log_file: str | None = None
    run_time_max: float | None = None
    priority: int = 0
    restart_limit: int | None = None
    gpus_per_core: int = 0
    num_nodes: int = 1
    exclusive: bool = False
    openmpi_oversubscribe: bool = False
    memory_max: float | None = None
    mpi_result: str = "all"
    pin: bool | None = None
    slurm_cmd_args: tuple[str, ...] = ()
    step: bool = False
    submission_template: str | None = None
    cache_key: str | None = None
    cache_directory: str | None = None
    cache_prefix: str | None = None
    """``cache_key`` at the executor's level: what the keys of its calls begin with."""
    extra: Mapping[str, Any] = field(default_factory=dict, hash=False)
    """Keys that only the template of a batch script knows."""

    @property
    def total_cores(self) -> int:
        """What counts against ``max_cores``."""
        return self.cores * (self.threads_per_core or 1)

    def from_here(self) -> Resources:
        """The same, whatever directory this program is in when they are read."""
        if self.cwd is None or os.path.isabs(self.cwd):
            return self
        return replace(self, cwd=os.path.abspath(self.cwd))

    def request(self) -> dict[str, int | float]:
        """The attributes of the REQUEST frame."""
        attributes: dict[str, int | float] = {
            "cores": self.cores,
            "threads_per_core": self.threads_per_core or 1,
            "priority": self.priority,
        }
        for name, value, default in (
            ("gpus_per_core", self.gpus_per_core, 0),
            ("nodes", self.num_nodes, 1),
            ("exclusive", int(self.exclusive), 0),
            ("oversubscribe", int(self.openmpi_oversubscribe), 0),
        ):
            if value != default:
                attributes[name] = value
        if self.memory_max is not None:
            attributes["memory"] = int(self.memory_max * _GB)
        if self.run_time_max is not None:
            attributes["time_limit"] = float(self.run_time_max)
        if self.restart_limit is not None:
            attributes["restart_limit"] = self.restart_limit
        return attributes


def directives(resources: Resources) -> dict[str, int | float | str | list[str]]:
    """The attributes of REQUEST for calls that are jobs: whatever a job system or a template may want."""
    found: dict[str, int | float | str | list[str]] = dict(resources.request())
    for name in (
        "gpus_per_core",
        "num_nodes",
        "exclusive",
        "openmpi_oversubscribe",
        "submission_template",
        "cwd",
    ):
        value = getattr(resources, name)
        if value:
            found[name] = value
    if resources.mpi_result != "all":
        found["mpi_result"] = resources.mpi_result
    if resources.slurm_cmd_args:
        found["slurm_cmd_args"] = list(resources.slurm_cmd_args)
    for name, value in resources.extra.items():
        if value is None:
            continue
        is_list = isinstance(value, (list, tuple)) and all(isinstance(text, str) for text in value)
        found[name] = (
            list(value) if is_list else value if isinstance(value, (int, float, str)) else str(value)
        )
    return found


def copied(resources: Mapping[str, Any] | None) -> tuple[dict[str, Any], dict[str, Any]]:
    """What is not None, in copies: (legal keys, unknown keys). ``ResourceError`` if this is no dict."""
    if resources is None:
        return {}, {}
    if not isinstance(resources, Mapping):
        raise ResourceError(f"resource_dict has to be a dict, not {type(resources).__name__}: {resources!r}")
    known = {key: value for key, value in resources.items() if key in KEYS and value is not None}
    return known, {key: value for key, value in resources.items() if key not in KEYS}


def checked(key: str, value: Any) -> Any:
    """The value of a legal key as it is used. ``ResourceError`` if it is wrong by itself."""
    if key in _LIMITS:
        return _number(key, value, *_LIMITS[key])
    if key in _TEXTS:
        if isinstance(value, os.PathLike):
            value = os.fspath(value)
        if not isinstance(value, str) or not value or "\0" in value:
            raise ResourceError(f"resource_dict[{key!r}] has to be a text that is not empty, not {value!r}")
        return value
    if key in _CHOICES:
        if value not in _CHOICES[key]:
            words = " or ".join(map(repr, _CHOICES[key]))
            raise ResourceError(f"resource_dict[{key!r}] has to be {words}, not {value!r}")
        return value
    if key in _SWITCHES:
        if not isinstance(value, bool):
            raise ResourceError(f"resource_dict[{key!r}] has to be True or False, not {value!r}")
        return value
    if not isinstance(value, (list, tuple)) or not all(isinstance(text, str) for text in value):
        raise ResourceError(f"resource_dict[{key!r}] has to be a list of texts, not {value!r}")
    return list(value)


def asks_for(key: str, value: Any) -> bool:
    """Whether a validated value of a legal key asks for more than every call has anyway."""
    return key in KEYS and value != _DEFAULTS.get(key)


def resources_of(values: Mapping[str, Any]) -> Resources:
    """The resources that validated values describe."""
    known = {key: value for key, value in values.items() if key in _FIELDS}
    if "slurm_cmd_args" in known:
        known["slurm_cmd_args"] = tuple(known["slurm_cmd_args"])
    return Resources(**known, extra={key: value for key, value in values.items() if key not in _FIELDS})


def check_fits(resources: Resources, max_cores: int | None) -> None:
    """``ResourceError`` if a call could never run within ``max_cores``."""
    if max_cores is not None and resources.total_cores > max_cores:
        asked = f"cores={resources.cores}"
        if resources.threads_per_core is not None:
            asked += f" with threads_per_core={resources.threads_per_core}"
        raise ResourceError(
            f"{TOO_MANY_CORES} Asked for: {asked}; available: {max_cores} (max_cores, or else what this "
            "process "
            "may use)."
        )


def usable_cores() -> int:
    """The cores this process may use: its slot's inside a call, else its CPU set and the CPU quota of its
    control
    group.
    """
    return this_node().cores


def hint_for(key: object) -> ResourceError:
    """The refusal of an unknown key, with the legal one that it may stand for."""
    close = difflib.get_close_matches(str(key), KEYS, 1)
    hint = f" Did you mean {close[0]!r}?" if close else ""
    return ResourceError(f"resource_dict has an unknown key {key!r}.{hint} Legal keys: {', '.join(KEYS)}.")


def _number(key: str, value: Any, kind: type, low: Number, high: Number) -> Number:
    wanted = _UNITS.get(key, "a whole number")
    if isinstance(value, bool):
        raise ResourceError(f"resource_dict[{key!r}] has to be {wanted}, not {value!r}")
    if not isinstance(value, (int, float)):
        try:
            value = value.__index__()  # numpy's integers
        except (AttributeError, TypeError):
            raise ResourceError(
                f"resource_dict[{key!r}] has to be {wanted}, not {type(value).__name__} {value!r}"
            ) from None
    if kind is int and not isinstance(value, int):
        raise ResourceError(f"resource_dict[{key!r}] has to be {wanted}, not {value!r}")
    if not low <= value <= high or (kind is float and value <= 0):
        least = "more than 0" if kind is float else f"at least {low}"
        raise ResourceError(f"resource_dict[{key!r}] has to be {least} and at most {high}, not {value!r}")
    return value  # type: ignore[no-any-return]
