# SPDX-License-Identifier: BSD-3-Clause
"""What all executors have in common that have an engine: from a validated call to the end."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future as StandardFuture
from types import TracebackType
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from swiftlet import _serial
from swiftlet._errors import NotYetAvailableError, ResourceError
from swiftlet._executor import BaseExecutor
from swiftlet._futures import Future
from swiftlet._options import check_count
from swiftlet._resources import Resources
from swiftlet._selectors import FutureSelector
from swiftlet._session import Session

if TYPE_CHECKING:
    from swiftlet._connection import Settings
    from swiftlet._events import Event
    from swiftlet._options import Options
    from swiftlet._policy import Policy
    from swiftlet._shipping import Function

T = TypeVar("T")


class EngineExecutor(BaseExecutor):
    """An executor whose calls are scheduled by an engine process of its own.

    The engine starts with the executor and ends with ``shutdown``, with this object, or with this program.
    All methods may be called from any thread.
    """

    _missing: ClassVar[str] = ""
    """What this version lacks for this executor to work; empty if it works."""

    _session: Session | None = None
    _closed = False
    _warm = False
    _limit: int | None = None
    _max_workers: int | None = None
    _base: Mapping[str, Any]
    _resources: Resources

    def __init__(self, options: Options, policy: Policy) -> None:
        """``NotYetAvailableError`` if this executor does not work in this version."""
        if self._missing:
            raise NotYetAvailableError(
                f"{policy.owner} is not available in this version: {self._missing} is missing. "
                "SingleNodeExecutor runs the same calls on this machine."
            )
        policy.refuse_options(
            cache_directory=options.cache_directory,
            plot_dependency_graph=options.plot_dependency_graph,
            plot_dependency_graph_filename=options.plot_dependency_graph_filename,
            export_workflow_filename=options.export_workflow_filename,
            openmpi_oversubscribe=options.openmpi_oversubscribe,
        )
        self._options = options
        self._policy = policy
        self._info: dict[str, Any] = {}

    # What executors may say differently

    def _launcher_settings(self) -> Settings:
        """Attributes of CONFIGURE that say how this executor's workers are started; none: on this
        machine.
        """
        return {}

    # Submitting

    def submit(  # type: ignore[override]
        self,
        fn: Callable[..., T],
        /,
        *args: Any,
        resource_dict: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> Future[T]:
        """Schedules ``fn(*args, **kwargs)`` and returns its future at once.

        Futures anywhere in the arguments are inputs: the call starts when they are done, with their values in
        their place; if one fails, the call fails with the same exception. ``resource_dict`` says what this
        call needs beyond or instead of the executor's (fresh calls only).

        Raises ``RuntimeError`` after ``shutdown``, ``ResourceError`` for resources that are not legal or can
        never be had, ``InputError`` for what cannot be pickled, ``TypeError`` for what cannot be called. May
        wait while more data is queued than the memory budget and the disk hold.
        """
        session = self._active()
        resources = self._call_resources(resource_dict) if resource_dict else self._resources
        return self._dispatch(session.function(fn), (args, kwargs), resources)

    def _dispatch(self, function: Function, arguments: Any, resources: Resources) -> Future[Any]:
        """Where every validated call passes: hands it to the engine."""
        session = self._session
        assert session is not None
        return session.call(function, arguments, resources)

    def _call_resources(self, resource_dict: Mapping[str, Any]) -> Resources:
        call = self._policy.read(resource_dict)
        if self._warm:
            if any(self._base.get(key) != value for key, value in call.items()):
                raise ResourceError(
                    "When block_allocation is enabled, the resource requirements have to be defined on the "
                    f"executor level. This call asks for {dict(call)!r}."
                )
            return self._resources
        return self._policy.merge(self._base, call, self._limit)

    def _active(self) -> Session:
        session = self._session
        if session is None or self._closed:
            raise RuntimeError("cannot schedule new futures after shutdown")
        return session

    def _prepare(self, fn: Callable[..., Any]) -> Function:
        return self._active().function(fn)

    def _submit_calls(
        self, function: Function, calls: tuple[Any, ...] | list[tuple[Any, ...]]
    ) -> Future[Any]:
        self._active().look()
        return self._dispatch(function, (calls, {}) if isinstance(calls, tuple) else calls, self._resources)

    def _cancel_if_waiting(self, future: StandardFuture[Any]) -> None:
        if self._session is not None and isinstance(future, Future):
            self._session.connection.cancel_if_waiting(future)

    # The end

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """No call can be submitted any more. Calls that were go on, and their futures still end.

        ``wait``: returns when all have ended, their callbacks have run, and no process is left.
        ``cancel_futures``: what has not started is cancelled. May be called again, and from any thread.
        """
        session = self._session
        self._closed = True
        if session is None:
            return
        connection = session.connection
        connection.shut_down(cancel_futures)
        if wait:
            connection.ended.wait()
            if not _serial.callbacks.is_current():
                connection.output.drain()
                _serial.callbacks.drain()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """``shutdown()``; after Ctrl-C in the block everything is ended at once."""
        if kind is not None and issubclass(kind, KeyboardInterrupt) and self._session is not None:
            self._closed = True
            self._session.connection.abandon()
        self.shutdown(wait=True)

    def __del__(self) -> None:
        session = self._session
        if session is not None and not self._closed:
            session.connection.orphan()

    # What goes on

    @property
    def max_workers(self) -> int | None:
        """The number of workers, or of calls that run at once; None if not limited, or after shutdown."""
        return None if self._closed else self._max_workers

    @max_workers.setter
    def max_workers(self, number: int) -> None:
        """Starts workers, or ends some after their current call. Only with ``block_allocation``."""
        if not self._warm:
            raise NotImplementedError("The max_workers setter is not implemented.")
        if number is None:
            raise TypeError("max_workers has to be a whole number, not None")
        check_count("max_workers", number)
        self._active().connection.resize(number)
        self._max_workers = self._info["max_workers"] = number

    @property
    def info(self) -> dict[str, Any] | None:
        """The settings; None after shutdown."""
        return None if self._closed else dict(self._info)

    @property
    def future_queue(self) -> WaitingCalls | None:
        """The calls that have not started (``qsize()``, ``empty()``); None after shutdown."""
        session = self._session
        return None if self._closed or session is None else WaitingCalls(session)

    def status(self) -> dict[str, Any]:
        """What the engine is doing, in numbers: ``waiting``, ``ready``, ``running``, ``ended``, ``workers``,
        …
        """
        return self._active().status()

    def explain(self, future: StandardFuture[Any]) -> str:
        """Why a call of this executor is waiting, or what it does."""
        session = self._session
        while isinstance(future, FutureSelector):
            future = future._future
        if not isinstance(future, Future) or session is None or future._link is not session.connection:
            raise ValueError(f"{future!r} is no future of this executor")
        if future.done() or session.connection.ended.is_set():
            return f"{future!r}: it has ended ({future.info})"
        return session.explain(future._ident)

    def events(self) -> Iterator[Event]:
        """What happens from now on, until the executor ends: an iterator that waits for the next event."""
        return self._active().events().iterate()


class WaitingCalls:
    """The calls of an executor that have not started, as far as this process knows."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def qsize(self) -> int:
        """How many there are."""
        connection = self._session.connection
        return max(0, len(connection.tasks) - connection.started)

    def empty(self) -> bool:
        """True if there are none."""
        return self.qsize() == 0
