# SPDX-License-Identifier: BSD-3-Clause
"""An engine at work for one executor: what is between a validated call and its future."""

from __future__ import annotations

import contextlib
import functools
import logging
import os
import pickle
import struct
import subprocess
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

from swiftlet import _outcome, _payload, _serial, _wire
from swiftlet._connection import Connection, Settings
from swiftlet._entries import trusted_owners
from swiftlet._errors import InputError
from swiftlet._events import EventStream
from swiftlet._futures import Future
from swiftlet._node import this_node
from swiftlet._references import Externals, InputDigests, Inputs
from swiftlet._resources import Resources
from swiftlet._shipping import BlobStore, Function, FunctionCache, Surroundings, with_threads
from swiftlet._store import Place, cache_place, client_provenance

if TYPE_CHECKING:
    from swiftlet._graphs._run import RunGraph

_FUNCTIONS_KEPT = 1024
_CONTEXTS_KEPT = 256
_BUDGET_SHARE = 4

Arguments = Any
"""``(args, kwargs)`` of one call, or a list of args tuples: a chunk of ``map``."""


class Session:
    """Starts an engine in fresh or warm mode and submits calls to it."""

    _connection_type: type[Connection] = Connection

    def __init__(
        self,
        *,
        version: str,
        warm: bool,
        max_cores: int | None,
        max_workers: int | None,
        base: Resources,
        init_function: Callable[..., Any] | None,
        restart_limit: int,
        log_sizes: bool,
        dependencies: bool,
        launcher: Settings,
        groups: Callable[[], Settings] | None = None,
        requests: Callable[[Resources], Settings] = Resources.request,
        directory: str | None = None,
    ) -> None:
        """``launcher``: attributes of CONFIGURE that say how workers are started. ``groups``: attributes
        of GROUPS; asked for once, before the first call with several ranks. ``requests``: the attributes of
        REQUEST for what a call needs. ``directory``: the cache directory.

        ``EngineDiedError`` if no engine starts; ``InputError`` if ``init_function`` cannot be sent."""
        initial = Function(init_function) if init_function is not None else None
        self.warm = warm
        self._directory = directory
        self._init_function = init_function
        self._log_sizes = self._watched = log_sizes
        self._farewells: set[str] = set()
        self.graph: RunGraph | None = None
        self._surroundings = self._make_surroundings(warm)
        self._functions = FunctionCache(self._surroundings)
        self._plan = _Plan()
        self.connection = connection = self._connection_type(version)
        self._function_blobs = BlobStore(connection.new_blob, connection.forget_blob, _FUNCTIONS_KEPT)
        self._context_blobs = BlobStore(connection.new_blob, connection.forget_blob, _CONTEXTS_KEPT)
        self._externals = Externals(connection) if dependencies else None
        self._requests: dict[Resources, int] = {}
        self._groups = groups
        self._request_settings = requests
        self._events: EventStream | None = None
        settings = {
            **_settings(warm, max_cores, max_workers, restart_limit, base.threads_per_core),
            **launcher,
        }
        if warm:
            context = self._surroundings.initial(
                base.cwd, base.error_log_file, base.threads_per_core, base.mpi_result
            )
            blobs = [connection.new_blob(context)]
            if initial is not None:
                blobs.append(connection.new_blob(initial.data))
            settings["init_blobs"] = struct.pack(f"<{len(blobs)}Q", *blobs)
            settings["init_request"] = self._request(base)
        settings.update(self._more_settings(base))
        connection.start(settings)
        if log_sizes:
            connection.on_outcome = _log_received

    @property
    def stores(self) -> bool:
        """Its calls are stored."""
        return self._directory is not None

    def _more_settings(self, base: Resources) -> Settings:
        """Further attributes of CONFIGURE, and what is to be sent before it."""
        return {}

    def _make_surroundings(self, warm: bool) -> Surroundings:
        return Surroundings(fresh=not warm)

    def _request_attributes(self, resources: Resources) -> Settings:
        return self._request_settings(resources)

    def function(self, fn: Callable[..., Any]) -> Function:
        """``fn`` as it is sent. Raises for what cannot be submitted."""
        self.look()
        return self._functions.get(fn)

    def call(self, function: Function, arguments: Arguments, resources: Resources) -> Future[Any]:
        """Submits a call. ``InputError`` if the arguments cannot be pickled."""
        connection = self.connection
        if connection.full:
            connection.wait_for_room()
        inputs = Inputs(connection, self._externals)
        parts: list[_wire.Part] = []
        try:
            try:
                _payload.dumps(arguments, connection.producer, reference=inputs, into=parts)
            except (TypeError, pickle.PicklingError) as error:
                if inputs.refused:
                    raise ValueError(
                        "Future objects are not supported as input if disable_dependencies=True."
                    ) from None
                raise InputError(
                    f"an argument of {function.name!r} cannot be sent to a worker: {error}"
                ) from error
            place = None
            if self._directory is not None or resources.cache_directory is not None:
                place = self._place(function, arguments, resources)
            with connection.outgoing.lock:
                plan = self._plan
                if plan.resources is not resources or plan.function is not function:
                    plan = self._plan = self._planned(resources, function)
                future = connection.append_call(
                    plan.request,
                    plan.context,
                    plan.blob,
                    inputs.numbers,
                    parts,
                    function.name,
                    place.packed(function.name) if place is not None else b"",
                )
                if place is not None:
                    connection.places[future._ident] = (place.directory, place.key)
        finally:
            if len(parts) > 1 or (parts and type(parts[0]) is not bytes):
                connection.producer.sent(parts)
        connection.send()
        if self._watched:
            self._tell(future, function, arguments, parts)
        return future

    def watch(self, graph: RunGraph) -> None:
        """From now on the graph hears of each call; of those that are open at once."""
        for future in list(self.connection.tasks.values()):
            graph.adopt(future)
        self.graph = graph
        self._watched = True

    def settle(self) -> None:
        """Returns when what the engine has done so far is among the events."""
        if not self.connection.ended.is_set():
            with contextlib.suppress(RuntimeError):
                self.status()

    def _tell(
        self, future: Future[Any], function: Function, arguments: Arguments, parts: list[_wire.Part]
    ) -> None:
        if self._log_sizes:
            _log("Send", sum(_outcome.part_size(part) for part in parts) + len(function.data))
        if self.graph is not None:
            args, kwargs = arguments if isinstance(arguments, tuple) else ((arguments,), {})
            self.graph.add(future, function.fn, args, kwargs)

    def log_farewell(self, verb: str) -> None:
        """With ``log_obj_size``, once each: the frame that ends the engine (Send), its last (Received)."""
        if self._log_sizes and verb not in self._farewells:
            self._farewells.add(verb)
            # In its turn behind what arrived before.
            _serial.callbacks.run(functools.partial(_log, verb, _wire.HEADER.size))

    def _place(self, function: Function, arguments: Arguments, resources: Resources) -> Place | None:
        """Where the outcome of a call is to be; None where that cannot be told, so that it is not stored."""
        place = cache_place(
            self._directory or "",
            resources,
            function.fn,
            arguments,
            self._init_function,
            reference=InputDigests(self.connection),
            fixed_sources=self.warm,
        )
        return None if place.unstable else place

    def look(self) -> None:
        """Sees whether path, environment and so on are as they were."""
        if self._surroundings.look():
            self._plan = _Plan()

    def _planned(self, resources: Resources, function: Function) -> _Plan:
        """The numbers for calls of a function with these resources; sends what they stand for. The lock is
        held.
        """
        key, context = self._surroundings.get(
            resources.cwd, resources.error_log_file, resources.threads_per_core, resources.mpi_result
        )
        return _Plan(
            resources,
            function,
            self._requests.get(resources) or self._request(resources),
            self._context_blobs.number(key, context),
            self._function_blobs.number(function.key, function.data),
        )

    def status(self) -> dict[str, Any]:
        """The engine's own numbers."""
        body = self.connection.inquire(_wire.STATUS, 0, _wire.STATUS_IS)
        return dict(_wire.unpack_attributes(body)[0])

    def dry_run(self, resources: Resources) -> str:
        """The command that would start a call's worker."""
        number = self._requests.get(resources) or self._request(resources)
        return self.connection.inquire(_wire.DRY_RUN, number, _wire.DRY_RUN_IS).decode(errors="replace")

    def explain(self, ident: int) -> str:
        """The engine's words on a task."""
        return self.connection.inquire(_wire.EXPLAIN, ident, _wire.EXPLANATION).decode(errors="replace")

    def events(self) -> EventStream:
        """The stream of events."""
        if self._events is None:
            self._events = EventStream(self.connection)
        return self._events

    def _request(self, resources: Resources) -> int:
        if resources.cores > 1 and self._groups is not None:
            frame = _wire.frame(_wire.GROUPS, 0, _wire.pack_attributes(self._groups()))
            with self.connection.outgoing.lock:
                self.connection.outgoing.append(frame, len(frame))
            self._groups = None
        number = self._requests[resources] = self.connection.new_request(self._request_attributes(resources))
        return number


class _Plan(NamedTuple):
    """What the last call named: the next one is often like it, and what was used last has not been
    forgotten.
    """

    resources: Resources | None = None
    function: Function | None = None
    request: int = 0
    context: int = 0
    blob: int = 0


def _settings(
    warm: bool, max_cores: int | None, max_workers: int | None, restart_limit: int, threads: int | None
) -> dict[str, _wire.AttributeValue]:
    """The attributes of CONFIGURE."""
    settings: dict[str, _wire.AttributeValue] = {
        "mode": "warm" if warm else "fresh",
        "worker_argv": worker_command("__main__.py"),
        "worker_env": [f"{name}={value}" for name, value in with_threads(threads).items()],
        "restart_limit": restart_limit,
    }
    try:
        settings["worker_cwd"] = os.getcwd()
    except OSError:
        settings["worker_cwd"] = "/"
    if max_cores is not None:
        settings["max_cores"] = max_cores
    if max_workers is not None:
        settings["max_workers"] = max_workers
    settings["provenance"] = client_provenance()
    settings["trusted_owners"] = [str(owner) for owner in sorted(trusted_owners())]
    budget = memory_budget()
    if budget is not None:
        settings["memory_budget"] = budget
    return settings


def worker_command(program: str) -> list[str]:
    """The command that runs a file of the worker's, with this interpreter and its flags."""
    folder = os.path.join(os.path.dirname(os.path.abspath(__file__)), "_worker")
    flags = subprocess._args_from_interpreter_flags()  # type: ignore[attr-defined]
    return [sys.executable, *flags, os.path.join(folder, program)]


def groups_of_ranks() -> Settings:
    """Attributes of GROUPS where a launcher of nodes starts the ranks: what each of them runs."""
    return {"worker": worker_command("rank.py")}


def memory_budget() -> int | None:
    """A quarter of the memory this process may use; None if that cannot be found out."""
    memory = this_node().memory
    return None if memory is None else memory // _BUDGET_SHARE


def _log_received(size: int) -> None:
    """On the reading thread: a handler of the user's must not run there."""
    _serial.callbacks.run(functools.partial(_log, "Received", size))


def _log(verb: str, size: int) -> None:
    logging.getLogger("executorlib").warning("%s dictionary of size: %d", verb, size)
