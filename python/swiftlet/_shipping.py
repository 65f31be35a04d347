# SPDX-License-Identifier: BSD-3-Clause
"""What many calls share and the engine keeps as blobs: functions, and the surroundings of calls.

A function is pickled for each submit, so that a changed global or closure is seen, and sent once per content.
Only where that is exact is it recognised by identity: while it is what its module's attribute of that name
is.
"""

from __future__ import annotations

import contextlib
import hashlib
import inspect
import os
import pickle
import sys
import types
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

from swiftlet import _alias, _payload
from swiftlet._callables import by_value_modules, travels_by_reference
from swiftlet._current import THREAD_VARIABLES
from swiftlet._errors import InputError

IDENTITY = (
    "PMI_",
    "PMIX_",
    "PALS_",
    "OMPI_COMM_",
    "OMPI_APP_CTX_",
    "OMPI_FIRST_RANKS",
    "OMPI_NUM_APP_CTX",
    "OMPI_UNIVERSE_SIZE",
    "OMPI_ARGV",
    "OMPI_COMMAND",
    "OMPI_FILE_LOCATION",
    "OMPI_WORLD_",
    "PRTE_",
    "HYDI_",
    "HYDRA_PROXY_",
    "MPI_LOCAL",
    "FLUX_TASK_",
    "SLURM_STEP",
    "SLURM_TASK_PID",
    "SLURM_PROCID",
    "SLURM_LOCALID",
    "SLURM_NODEID",
    "SLURM_GTIDS",
    "SLURM_SRUN_COMM_",
    "SLURM_LAUNCH_NODE_IPADDR",
    "SLURM_PMI",
    "SWIFTLET_SLOT",
)
"""How the variables begin that say who a process is in a group of MPI ranks, a job step or a slot."""

_FUNCTIONS_KEPT = 512
_SURROUNDINGS_KEPT = 128


class BlobStore:
    """The blobs that were sent and are not forgotten, by content; the ones used longest ago are forgotten
    first.

    Not for several threads: the caller holds the connection's lock.
    """

    def __init__(self, send: Callable[[bytes], int], forget: Callable[[int], None], kept: int) -> None:
        self._send = send
        self._forget = forget
        self._kept = kept
        self._numbers: OrderedDict[bytes, int] = OrderedDict()

    def number(self, key: bytes, data: bytes) -> int:
        """The number of the blob whose digest is ``key``; sends it if need be."""
        number = self._numbers.get(key)
        if number is not None:
            self._numbers.move_to_end(key)
            return number
        if len(self._numbers) >= self._kept:
            self._forget(self._numbers.popitem(last=False)[1])
        number = self._numbers[key] = self._send(data)
        return number


class Function:
    """A callable as it is sent."""

    __slots__ = ("data", "fn", "key", "module", "name")

    def __init__(self, fn: Callable[..., object]) -> None:
        """Pickles it. ``ValueError`` if it has a parameter that submit needs, ``InputError`` if it cannot be
        sent.
        """
        if has_resource_parameter(fn):
            raise ValueError(
                "The parameter resource_dict is used internally in executorlib, so it cannot be used as a "
                "parameter "
                f"in the submitted functions. Rename the parameter of {name_of(fn)!r}."
            )
        self.fn = fn
        self.module: str = getattr(fn, "__module__", None) or ""
        self.name = name_of(fn)
        try:
            self.data = _payload.dump_callable(fn)
        except Exception as error:
            raise InputError(
                f"the function {self.name!r} cannot be sent to a worker: {error}. Open files, locks and "
                "connections "
                "belong into the function, or into an init_function"
            ) from error
        self.key = digest(self.data)


class FunctionCache:
    """Functions by identity, where that is exact."""

    def __init__(self, surroundings: Surroundings) -> None:
        self._surroundings = surroundings
        self._known: OrderedDict[int, Function] = OrderedDict()

    def get(self, fn: Callable[..., object]) -> Function:
        """``fn`` as it is sent; raises as ``Function``. ``TypeError`` if it cannot be called."""
        known = self._known.get(id(fn))
        by_value = self._surroundings.by_value
        if (
            known is not None
            and known.fn is fn
            and not by_value
            and getattr(sys.modules.get(known.module), known.name, None) is fn
        ):
            return known
        if not callable(fn):
            raise TypeError(f"{fn!r} is not a callable object")
        function = Function(fn)
        if not by_value and travels_by_reference(fn):
            if len(self._known) >= _FUNCTIONS_KEPT:
                with contextlib.suppress(KeyError):
                    self._known.popitem(last=False)
            self._known[id(fn)] = function
        return function


def has_resource_parameter(fn: Callable[..., object]) -> bool:
    """True if the function takes ``resource_dict`` by name. False where Python cannot tell."""
    if type(fn) is types.FunctionType and not fn.__dict__:
        code = fn.__code__
        return "resource_dict" in code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
    try:
        return "resource_dict" in inspect.signature(fn).parameters
    except (ValueError, TypeError):
        return False


def name_of(fn: object) -> str:
    """A short name for messages."""
    name = getattr(fn, "__qualname__", None)
    return sys.intern(name) if isinstance(name, str) else type(fn).__qualname__


def digest(data: bytes) -> bytes:
    """Tells contents apart."""
    return hashlib.blake2b(data, digest_size=16).digest()


class Surroundings:
    """The context blobs of an executor's calls: ``sys.path``, environment, directory, and what goes with
    them.

    They are made anew when one of these changed; the comparison is cheap enough for each submit.
    """

    def __init__(self, fresh: bool) -> None:
        self._fresh = fresh
        self._path: list[str] = []
        self._environment: dict[Any, Any] | None = None
        self._directory: str | None = None
        self.by_value: tuple[str, ...] = ()
        self._as_executorlib = _alias.installed
        self._needs_directory = True
        self._made: dict[tuple[object, ...], tuple[bytes, bytes]] = {}

    def get(
        self, cwd: str | None, error_log_file: str | None, threads: int | None, mpi_result: str
    ) -> tuple[bytes, bytes]:
        """(digest, bytes) of the context for calls with these resources, as of the last ``look``."""
        key = (cwd, error_log_file, threads, mpi_result)
        made = self._made.get(key)
        if made is None:
            if len(self._made) >= _SURROUNDINGS_KEPT:
                self._made.clear()
            data = self._make(*key, self._fresh)
            made = self._made[key] = digest(data), data
        return made

    def initial(
        self, cwd: str | None, error_log_file: str | None, threads: int | None, mpi_result: str
    ) -> bytes:
        """The context in which warm workers prepare, with the environment."""
        self.look()
        return self._make(cwd, error_log_file, threads, mpi_result, True)

    def look(self) -> bool:
        """Takes in what is now; True if something changed since the last time."""
        changed = False
        if sys.path != self._path:
            self._path = list(sys.path)
            self._needs_directory = self._fresh or any(not os.path.isabs(entry) for entry in self._path)
            changed = True
        if self._needs_directory:
            directory = _current_directory()
            if directory != self._directory:
                self._directory = directory
                changed = True
        if _alias.installed is not self._as_executorlib:
            self._as_executorlib = _alias.installed
            changed = True
        by_value = by_value_modules()
        if by_value != self.by_value:
            self.by_value = by_value
            changed = True
        if self._fresh:
            environment = os.environ._data  # type: ignore[attr-defined]
            if environment != self._environment:
                self._environment = dict(environment)
                changed = True
        if changed:
            self._made.clear()
        return changed

    def _make(
        self,
        cwd: str | None,
        error_log_file: str | None,
        threads: int | None,
        mpi_result: str,
        whole: bool,
    ) -> bytes:
        return pickle.dumps(self._content(cwd, error_log_file, threads, mpi_result, whole), 5)

    def _content(
        self,
        cwd: str | None,
        error_log_file: str | None,
        threads: int | None,
        mpi_result: str,
        whole: bool,
    ) -> dict[str, Any]:
        directory = self._directory or _current_directory()
        base = directory or "/"
        if cwd is not None:
            directory = os.path.join(base, cwd)
        elif not whole:
            directory = None
        return {
            "path": [os.path.join(base, entry) if entry else base for entry in self._path],
            "env": with_threads(threads) if whole else None,
            "cwd": directory,
            "error_log_file": error_log_file,
            "threads": threads or 1,
            "mpi_result": mpi_result,
            "by_value": list(self.by_value),
            "as_executorlib": self._as_executorlib,
        }


def with_threads(threads: int | None) -> dict[str, str]:
    """The environment of calls, with the thread variables set: as asked for, else 1 where the user set
    none.
    """
    variables = environment()
    for name in THREAD_VARIABLES:
        if threads is not None:
            variables[name] = str(threads)
        else:
            variables.setdefault(name, "1")
    return variables


def environment() -> dict[str, str]:
    """This process's environment without who it is in a group of ranks, a job step or a slot: a call is
    somebody
    else.
    """
    return {name: value for name, value in os.environ.items() if not name.startswith(IDENTITY)}


def environment_changes(before: dict[str, str]) -> dict[str, str | None]:
    """What has changed in this process's environment; None: the variable is gone."""
    changes: dict[str, str | None] = {name: None for name in before if name not in os.environ}
    changes.update({name: value for name, value in os.environ.items() if before.get(name) != value})
    return changes


def _current_directory() -> str | None:
    try:
        return os.getcwd()
    except OSError:  # it was removed
        return None
