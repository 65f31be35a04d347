# SPDX-License-Identifier: BSD-3-Clause
"""Python functions as tasks: fresh or warm processes, scheduled by an engine written in Swift.

``SingleNodeExecutor`` is used as ``concurrent.futures``' executors, and as executorlib's::

    from swiftlet import SingleNodeExecutor

    with SingleNodeExecutor(max_workers=2) as executor:
        future = executor.submit(sum, [1, 2, 3])
        print(future.result())

Names are imported when they are first used, so that worker processes import nothing they do not need.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from swiftlet._alias import install_as_executorlib
    from swiftlet._cache import (
        get_cache_data,
        get_cache_data_queue,
        get_future_from_cache,
        terminate_task_in_cache,
        terminate_tasks_in_cache,
    )
    from swiftlet._command import Command, CommandResult
    from swiftlet._current import current_task
    from swiftlet._errors import (
        AllocationError,
        EngineDiedError,
        ExecutorlibSocketError,
        InputError,
        MemoryLimitError,
        MPIUnavailableError,
        NotYetAvailableError,
        ResourceError,
        ResourceUnavailableError,
        SwiftletError,
        TaskRefusedError,
        TimeLimitError,
        WorkerLostError,
    )
    from swiftlet._events import Event
    from swiftlet._executor import BaseExecutor
    from swiftlet._flux_cluster import FluxClusterExecutor
    from swiftlet._flux_job import FluxJobExecutor
    from swiftlet._futures import Future
    from swiftlet._graphs._rerun import run_workflow
    from swiftlet._key import KeyExplanation, explain_key
    from swiftlet._outcome import CallInfo
    from swiftlet._payload import RemoteError, RemoteTraceback
    from swiftlet._resources import ResourceDict
    from swiftlet._selectors import FutureSelector, get_item_from_future, split_future
    from swiftlet._single_node import SingleNodeExecutor
    from swiftlet._slots import Slot, TaskInfo
    from swiftlet._slurm_cluster import SlurmClusterExecutor
    from swiftlet._slurm_job import SlurmJobExecutor
    from swiftlet._version import __version__

_HOMES = {
    "AllocationError": "_errors",
    "KeyExplanation": "_key",
    "BaseExecutor": "_executor",
    "CallInfo": "_outcome",
    "Command": "_command",
    "CommandResult": "_command",
    "EngineDiedError": "_errors",
    "Event": "_events",
    "ExecutorlibSocketError": "_errors",
    "FluxClusterExecutor": "_flux_cluster",
    "FluxJobExecutor": "_flux_job",
    "Future": "_futures",
    "FutureSelector": "_selectors",
    "InputError": "_errors",
    "MPIUnavailableError": "_errors",
    "MemoryLimitError": "_errors",
    "NotYetAvailableError": "_errors",
    "RemoteError": "_payload",
    "RemoteTraceback": "_payload",
    "ResourceDict": "_resources",
    "ResourceError": "_errors",
    "ResourceUnavailableError": "_errors",
    "SingleNodeExecutor": "_single_node",
    "Slot": "_slots",
    "SlurmClusterExecutor": "_slurm_cluster",
    "SlurmJobExecutor": "_slurm_job",
    "SwiftletError": "_errors",
    "TaskInfo": "_slots",
    "TaskRefusedError": "_errors",
    "TimeLimitError": "_errors",
    "WorkerLostError": "_errors",
    "__version__": "_version",
    "current_task": "_current",
    "get_cache_data": "_cache",
    "get_cache_data_queue": "_cache",
    "get_future_from_cache": "_cache",
    "explain_key": "_key",
    "get_item_from_future": "_selectors",
    "install_as_executorlib": "_alias",
    "run_workflow": "_graphs._rerun",
    "split_future": "_selectors",
    "terminate_task_in_cache": "_cache",
    "terminate_tasks_in_cache": "_cache",
}

__all__ = [
    "AllocationError",
    "BaseExecutor",
    "CallInfo",
    "Command",
    "CommandResult",
    "EngineDiedError",
    "Event",
    "ExecutorlibSocketError",
    "FluxClusterExecutor",
    "FluxJobExecutor",
    "Future",
    "FutureSelector",
    "InputError",
    "KeyExplanation",
    "MPIUnavailableError",
    "MemoryLimitError",
    "NotYetAvailableError",
    "RemoteError",
    "RemoteTraceback",
    "ResourceDict",
    "ResourceError",
    "ResourceUnavailableError",
    "SingleNodeExecutor",
    "Slot",
    "SlurmClusterExecutor",
    "SlurmJobExecutor",
    "SwiftletError",
    "TaskInfo",
    "TaskRefusedError",
    "TimeLimitError",
    "WorkerLostError",
    "__version__",
    "current_task",
    "explain_key",
    "get_cache_data",
    "get_cache_data_queue",
    "get_future_from_cache",
    "get_item_from_future",
    "install_as_executorlib",
    "run_workflow",
    "split_future",
    "terminate_task_in_cache",
    "terminate_tasks_in_cache",
]


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{home}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(set(globals()) | set(__all__))
