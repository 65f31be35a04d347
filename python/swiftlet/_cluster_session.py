# SPDX-License-Identifier: BSD-3-Clause
"""An engine at work for a cluster executor: each call gets a key, and an entry in the cache directory."""

from __future__ import annotations

import os
import pickle
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import CancelledError
from concurrent.futures import Future as StandardFuture
from typing import Any

from swiftlet import _payload, _serial, _wire
from swiftlet._cluster_connection import ClusterConnection
from swiftlet._errors import InputError
from swiftlet._futures import NOTIFIED, Future
from swiftlet._payload import Given, Input
from swiftlet._references import InputDigests, source_of
from swiftlet._resources import Resources, directives
from swiftlet._session import Arguments, Session, worker_command
from swiftlet._shipping import Function, Surroundings, environment_changes
from swiftlet._store import cache_place


class ClusterSession(Session):
    """Submits calls as entries; equal calls are one."""

    connection: ClusterConnection
    _connection_type = ClusterConnection

    def __init__(
        self,
        *,
        version: str,
        directory: str,
        system: str,
        base: Resources,
        dependencies: bool,
        log_sizes: bool,
        launcher: Any,
        to_directives: Callable[[Resources], Any] = directives,
    ) -> None:
        """``system``: what runs jobs, as CONFIGURE names it. ``EngineDiedError`` if no engine starts."""
        self._has_dependencies = dependencies
        self._to_directives = to_directives
        self.resources_of: dict[int, Resources] = {}
        """What the numbers of requests stand for."""
        self._lock = threading.RLock()
        super().__init__(
            version=version,
            warm=False,
            max_cores=None,
            max_workers=None,
            base=base,
            init_function=None,
            restart_limit=0,
            log_sizes=log_sizes,
            dependencies=dependencies,
            launcher={"jobs": system, "worker_argv": worker_command("job.py"), **launcher},
            directory=directory,
        )

    def _make_surroundings(self, warm: bool) -> Surroundings:
        return JobSurroundings()

    def call(self, function: Function, arguments: Arguments, resources: Resources) -> Future[Any]:
        """Submits a call; at once if all futures in its arguments are calls of this executor or done."""
        waiting = _Scan(self)
        try:
            _payload.dumps(arguments, reference=waiting)
        except (TypeError, pickle.PicklingError) as error:
            raise InputError(f"an argument of {function.name!r} cannot be sent to a job: {error}") from error
        if waiting.found and not self._has_dependencies:
            raise ValueError("Future objects are not supported as input if disable_dependencies=True.")
        if not waiting.open:
            return self._submit(function, arguments, resources, None)
        future: Future[Any] = Future(self.connection, function.name)
        self.connection.check_open()
        held = _Held(self, future, function, arguments, resources, waiting.open)
        try:
            held.begin()
        except BaseException:  # Ctrl-C: nobody has the future
            future.cancel()
            raise
        return future

    def _submit(
        self, function: Function, arguments: Arguments, resources: Resources, future: Future[Any] | None
    ) -> Future[Any]:
        connection = self.connection
        inputs = _Inputs(connection)
        parts: list[_wire.Part] = []
        try:
            try:
                _payload.dumps(arguments, connection.producer, reference=inputs, into=parts)
            except (TypeError, pickle.PicklingError) as error:
                raise InputError(
                    f"an argument of {function.name!r} cannot be sent to a job: {error}"
                ) from error
            place = cache_place(
                self._directory or "",
                resources,
                function.fn,
                arguments,
                None,
                reference=InputDigests(connection),
            )
            entry = place.packed(function.name)
            with connection.outgoing.lock:
                plan = self._planned(resources, function)
                future = connection.append_call(
                    plan.request, plan.context, plan.blob, inputs.numbers, parts, function.name, entry, future
                )
                connection.submitted(future, (place.directory, place.key))
        finally:
            connection.producer.sent(parts)
        connection.send()
        if self._watched:
            self._tell(future, function, arguments, parts)
        return future

    def describe(self, function: Function, arguments: Arguments, resources: Resources) -> str:
        """What the system of jobs would be given for this call. Nothing is queued."""
        place = cache_place(self._directory or "", resources, function.fn, arguments, None)
        with self.connection.outgoing.lock:
            request = self._requests.get(resources) or self._request(resources)
        call: dict[str, _wire.AttributeValue] = {
            "request": request,
            "directory": place.directory,
            "key": place.key,
            "function": function.name,
        }
        body = self.connection.inquire(_wire.DESCRIBE, 0, _wire.DESCRIBED, _wire.pack_attributes(call))
        return body.decode(errors="surrogateescape")

    def _request_attributes(self, resources: Resources) -> Any:
        return self._to_directives(resources)

    def _request(self, resources: Resources) -> int:
        number = super()._request(resources)
        self.resources_of[number] = resources
        return number

    def is_open(self, future: StandardFuture[Any]) -> bool:
        """Whether a call with this future as input has to wait for it in this process."""
        if isinstance(future, Future) and future._link is self.connection and future._ident:
            return False
        return not future.done()


class JobSurroundings(Surroundings):
    """The context of jobs: their environment is the job's own, with what changed here since the start."""

    def __init__(self) -> None:
        super().__init__(fresh=True)
        self._at_start = dict(os.environ)

    def _content(
        self,
        cwd: str | None,
        error_log_file: str | None,
        threads: int | None,
        mpi_result: str,
        whole: bool,
    ) -> dict[str, Any]:
        content = super()._content(cwd, error_log_file, threads, mpi_result, whole)
        content["env"] = None
        content["changes"] = environment_changes(self._at_start)
        return content


class _Scan:
    """Finds the futures in the arguments of a call that are to be waited for here."""

    def __init__(self, session: ClusterSession) -> None:
        self._session = session
        self.found = False
        self.open: list[StandardFuture[Any]] = []

    def __call__(self, obj: object) -> Input | None:
        if not isinstance(obj, StandardFuture):
            return None
        self.found = True
        future, _ = source_of(obj)
        if self._session.is_open(future) and future not in self.open:
            self.open.append(future)
        return Input(0)


class _Inputs:
    """What stands for the futures in the arguments of one call: a task of this executor, or the value."""

    def __init__(self, connection: ClusterConnection) -> None:
        self._connection = connection
        self._positions: dict[int, int] = {}
        self._alive: list[object] = []
        self.numbers: list[int] = []

    def __call__(self, obj: object) -> Input | Given | None:
        if not isinstance(obj, StandardFuture):
            return None
        future, path = source_of(obj)
        if not (isinstance(future, Future) and future._link is self._connection and future._ident):
            return Given(future.result(), path)
        number = future._ident
        position = self._positions.setdefault(number, len(self.numbers))
        if position == len(self.numbers):
            self.numbers.append(number)
            self._alive.append(obj)
        return Input(position, path)


class _Held:
    """A call that is submitted when the futures of others in its arguments are done."""

    def __init__(
        self,
        session: ClusterSession,
        future: Future[Any],
        function: Function,
        arguments: Arguments,
        resources: Resources,
        waits_for: Sequence[StandardFuture[Any]],
    ) -> None:
        self._session = session
        self._future = future
        self._call = (function, arguments, resources)
        self._open = len(waits_for)
        self._inputs = list(waits_for)
        self._lock = threading.Lock()

    def begin(self) -> None:
        """From now on the connection waits for it."""
        self._future.add_done_callback(self._ended)
        self._session.connection.hold(self._future)
        for source in self._inputs:
            source.add_done_callback(self._done)

    def _done(self, _: object) -> None:
        with self._lock:
            self._open -= 1
            if self._open:
                return
        _serial.resolver.run(self._submit)

    def _ended(self, future: object) -> None:
        self._session.connection.let_go(self._future)

    def _submit(self) -> None:
        future = self._future
        connection = self._session.connection
        if future.done():
            return
        try:
            for source in self._inputs:
                error = source.exception()
                if error is not None:
                    future._finish(None, error)
                    return
            self._session._submit(*self._call, future)
        except CancelledError:
            future._settle(NOTIFIED)
        except BaseException as error:
            future._finish(None, error)
        else:
            if future.cancelled():
                connection.cancelled(future)
        finally:
            connection.let_go(future)
