# SPDX-License-Identifier: BSD-3-Clause
"""``import executorlib`` gives swiftlet: modules of executorlib's names that hold our objects.

Nothing is imported before it is asked for, so that a worker process pays for what its calls use only.
"""

from __future__ import annotations

import importlib
import importlib.abc
import importlib.machinery
import sys
from collections.abc import Sequence
from types import ModuleType
from typing import Any

VERSION = "1.11.0"
"""The version of executorlib whose interface this is."""

_CACHE = ("get_cache_data", "get_cache_data_queue", "get_future_from_cache")
_TERMINATE = ("terminate_task_in_cache", "terminate_tasks_in_cache")
_COMMUNICATION = (
    "ExecutorlibSocketError",
    "SocketInterface",
    "interface_bootup",
    "interface_connect",
    "interface_receive",
    "interface_send",
    "interface_shutdown",
)
_SPAWNERS = ("MpiExecSpawner", "SubprocessSpawner")

_ROOT = (
    "get_cache_data",
    "get_future_from_cache",
    "get_item_from_future",
    "split_future",
    "terminate_tasks_in_cache",
    "BaseExecutor",
    "FluxJobExecutor",
    "FluxClusterExecutor",
    "SingleNodeExecutor",
    "SlurmJobExecutor",
    "SlurmClusterExecutor",
)
_API = (
    "TestClusterExecutor",
    "cancel_items_in_queue",
    "cloudpickle_register",
    "get_command_path",
    *_COMMUNICATION,
    *_SPAWNERS,
)

_MODULES: dict[str, tuple[str, ...]] = {
    "executorlib": (*_ROOT, "get_cache_data_queue", "terminate_task_in_cache"),
    "executorlib.api": _API,
    "executorlib.executor": (),
    "executorlib.executor.base": ("BaseExecutor",),
    "executorlib.executor.flux": ("FluxClusterExecutor", "FluxJobExecutor"),
    "executorlib.executor.single": ("SingleNodeExecutor", "TestClusterExecutor"),
    "executorlib.executor.slurm": ("SlurmClusterExecutor", "SlurmJobExecutor"),
    "executorlib.standalone": (),
    "executorlib.standalone.command": ("get_command_path",),
    "executorlib.standalone.hdf": ("get_cache_data", "get_future_from_cache"),
    "executorlib.standalone.interactive": (),
    "executorlib.standalone.interactive.communication": _COMMUNICATION,
    "executorlib.standalone.interactive.spawner": ("BaseSpawner", *_SPAWNERS),
    "executorlib.standalone.queue": ("cancel_items_in_queue",),
    "executorlib.standalone.select": ("FutureSelector", "get_item_from_future", "split_future"),
    "executorlib.standalone.serialize": ("cloudpickle_register",),
}
_EXPORTED = {"executorlib": _ROOT, "executorlib.api": _API}
_PACKAGES = {name.rpartition(".")[0] for name in _MODULES}

installed = False
"""Whether it is done in this process."""


def install_as_executorlib() -> None:
    """From now on ``import executorlib`` gives swiftlet, here and in the calls of executors.

    ``RuntimeError`` if executorlib itself has been imported already: call this before.
    """
    global installed
    if installed:
        return
    present = sys.modules.get("executorlib")
    if present is not None:
        raise RuntimeError(
            "executorlib has been imported already "
            f"({getattr(present, '__file__', None)!r}): call install_as_executorlib() before the first "
            "import of it, or run the program by `python -m swiftlet.compat`"
        )
    sys.meta_path.insert(0, _Finder())
    importlib.import_module("executorlib")  # some ask sys.modules whether it is there
    installed = True


class _Finder(importlib.abc.MetaPathFinder):
    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if fullname in _MODULES:
            return importlib.machinery.ModuleSpec(fullname, _Loader(), is_package=fullname in _PACKAGES)
        if fullname.startswith("executorlib."):
            raise ModuleNotFoundError(
                f"No module named {fullname!r}: swiftlet stands in for executorlib, and this is none of the "
                "modules that hold executorlib's public names",
                name=fullname,
            )
        return None


class _Loader(importlib.abc.Loader):
    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType:
        return _Module(spec.name, "Swiftlet under the name of executorlib.")

    def exec_module(self, module: ModuleType) -> None:
        names = _MODULES[module.__name__]
        module.__all__ = list(_EXPORTED.get(module.__name__, names))  # type: ignore[attr-defined]
        if module.__name__ == "executorlib":
            module.__version__ = VERSION  # type: ignore[attr-defined]


class _Module(ModuleType):
    """Fetches a name when it is first used."""

    def __getattr__(self, name: str) -> Any:
        if name not in _MODULES.get(self.__name__, ()):
            raise AttributeError(f"module {self.__name__!r} (which is swiftlet) has no attribute {name!r}")
        value = _fetched(name)
        setattr(self, name, value)
        return value

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *_MODULES[self.__name__]})


def _fetched(name: str) -> Any:
    for home in ("swiftlet", "swiftlet.api"):
        module = importlib.import_module(home)
        if name in module.__all__:
            return getattr(module, name)
    return getattr(importlib.import_module("swiftlet._interface._spawners"), name)
