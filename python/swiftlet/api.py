# SPDX-License-Identifier: BSD-3-Clause
"""The counterpart of ``executorlib.api``: what programs use that build on the executors."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from swiftlet._test_cluster import TestClusterExecutor

_HOMES = {
    "TestClusterExecutor": "_test_cluster",
}

__all__ = ["TestClusterExecutor"]


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"swiftlet.{home}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(set(globals()) | set(__all__))
