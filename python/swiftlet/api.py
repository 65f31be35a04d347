# SPDX-License-Identifier: BSD-3-Clause
"""The counterpart of ``executorlib.api``: what programs use that build on the executors."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from swiftlet._errors import ExecutorlibSocketError
    from swiftlet._interface._channel import (
        interface_connect,
        interface_receive,
        interface_send,
        interface_shutdown,
    )
    from swiftlet._interface._socket import SocketInterface, interface_bootup
    from swiftlet._interface._spawners import MpiExecSpawner, SubprocessSpawner
    from swiftlet._lowlevel import cancel_items_in_queue, cloudpickle_register, get_command_path
    from swiftlet._test_cluster import TestClusterExecutor

_HOMES = {
    "ExecutorlibSocketError": "_errors",
    "MpiExecSpawner": "_interface._spawners",
    "SocketInterface": "_interface._socket",
    "SubprocessSpawner": "_interface._spawners",
    "TestClusterExecutor": "_test_cluster",
    "cancel_items_in_queue": "_lowlevel",
    "cloudpickle_register": "_lowlevel",
    "get_command_path": "_lowlevel",
    "interface_bootup": "_interface._socket",
    "interface_connect": "_interface._channel",
    "interface_receive": "_interface._channel",
    "interface_send": "_interface._channel",
    "interface_shutdown": "_interface._channel",
}

__all__ = [
    "ExecutorlibSocketError",
    "MpiExecSpawner",
    "SocketInterface",
    "SubprocessSpawner",
    "TestClusterExecutor",
    "cancel_items_in_queue",
    "cloudpickle_register",
    "get_command_path",
    "interface_bootup",
    "interface_connect",
    "interface_receive",
    "interface_send",
    "interface_shutdown",
]


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"swiftlet.{home}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(set(globals()) | set(__all__))
