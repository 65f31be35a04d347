# SPDX-License-Identifier: BSD-3-Clause
"""What all executors have in common that have an engine: from a validated call to the end."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future as StandardFuture
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeVar, overload

from swiftlet import _map, _serial
from swiftlet._errors import ResourceError
from swiftlet._executor import BaseExecutor
from swiftlet._futures import Future
from swiftlet._options import check_count
from swiftlet._resources import Resources
from swiftlet._selectors import FutureSelector
from swiftlet._session import Session

if TYPE_CHECKING:
    from typing_extensions import ParamSpec

    from swiftlet._connection import Settings
    from swiftlet._events import Event
    from swiftlet._graphs._drawing import Drawing
    from swiftlet._graphs._run import RunGraph
    from swiftlet._options import Options
    from swiftlet._policy import Policy

    P = ParamSpec("P")

T = TypeVar("T")


class EngineExecutor(BaseExecutor):
    """An executor whose calls are scheduled by an engine process of its own.

    The engine starts with the executor and ends with ``shutdown``, with this object, or with this program.
    All methods may be called from any thread.
    """

    _session: Session | None = None
    _drawing: Drawing | None = None
    """In draw mode this takes the calls, and there is no session."""
    _closed = False
    _warm = False
    _limit: int | None = None
    _max_workers: int | None = None
    _base: Mapping[str, Any]
    _resources: Resources

    def __init__(self, options: Options, policy: Policy) -> None:
        self._options = options
        self._policy = policy
        self._info: dict[str, Any] = {}
        if options.only_draws:
            self._base = policy.read(options.resource_dict)
            self._resources = policy.merge(self._base, {}, options.max_cores)
            self._drawing = _drawing(options)
            return
        policy.refuse_options(
            cache_directory=options.cache_directory,
            openmpi_oversubscribe=options.openmpi_oversubscribe,
        )

    # What executors may say differently

    def _launcher_settings(self) -> Settings:
        """Attributes of CONFIGURE that say how this executor's workers are started; none: on this
        machine.
        """
        return {}

    # Submitting

    @overload
    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]: ...

    @overload
    def submit(  # type: ignore[overload-cannot-match]
        self,
        fn: Callable[..., T],
        /,
        *args: Any,
        resource_dict: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> Future[T]: ...

    def submit(
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
        session = self._taker()
        resources = self._call_resources(resource_dict) if resource_dict else self._resources
        if resources.cache_key is not None and not self._options.cache_directory:
            self._need_directory(resources)
        return self._dispatch(session.function(fn), (args, kwargs), resources)

    def _need_directory(self, resources: Resources) -> None:
        """A key without a directory would be ignored."""
        if resources.cache_directory is None and self._session is not None and not self._session.stores:
            raise ResourceError(
                f"cache_key={resources.cache_key!r} needs a cache_directory, of the call or of the executor"
            )

    def _dispatch(self, function: Any, arguments: Any, resources: Resources) -> Future[Any]:
        """Where every validated call passes: hands it to the engine."""
        taker = self._session or self._drawing
        assert taker is not None
        return taker.call(function, arguments, resources if resources.cwd is None else resources.from_here())

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

    def _taker(self) -> Session | Drawing:
        """What takes calls."""
        taker = self._session or self._drawing
        if taker is None or self._closed:
            raise RuntimeError("cannot schedule new futures after shutdown")
        return taker

    def _active(self) -> Session:
        session = self._taker()
        if session is not self._session:
            raise RuntimeError("this executor only draws what is submitted: nothing runs")
        return self._session

    def _prepare(self, fn: Callable[..., Any]) -> Any:
        taker = self._taker()
        return fn if self._derives_submit() else taker.function(fn)

    def _submit_calls(self, function: Any, calls: tuple[Any, ...] | list[tuple[Any, ...]]) -> Future[Any]:
        if self._derives_submit():
            if isinstance(calls, tuple):
                return self.submit(function, *calls)
            return self.submit(_map.run_chunk, function, calls)
        self._taker().look()
        return self._dispatch(function, (calls, {}) if isinstance(calls, tuple) else calls, self._resources)

    def _derives_submit(self) -> bool:
        """Whether a user's class has a ``submit`` of its own: then ``map`` calls that, as the standard
        library's.
        """
        return type(self).submit is not EngineExecutor.submit

    def batched(self, iterable: Iterable[StandardFuture[Any]], n: int) -> list[Future[list[Any]]]:
        """See ``BaseExecutor.batched``."""
        drawing = self._drawing
        return super().batched(iterable, n) if drawing is None else drawing.batched(list(iterable), n)

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
        drawing, self._drawing = self._drawing, None
        self._closed = True
        if drawing is not None:
            drawing.finish()
        if session is None:
            return
        connection = session.connection
        connection.shut_down(cancel_futures)
        session.log_farewell("Send")
        if wait:
            connection.ended.wait()
            session.log_farewell("Received")
            if not _serial.callbacks.is_current():
                connection.output.drain()
                _serial.callbacks.drain()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """``shutdown()``; after Ctrl-C in the block everything is ended at once."""
        if kind is not None:
            self._drawing = None  # half a graph is not drawn
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
        taker = self._taker()
        if taker is self._session:
            self._session.connection.resize(number)
        self._max_workers = self._info["max_workers"] = number

    @property
    def info(self) -> dict[str, Any] | None:
        """The settings; None after shutdown."""
        return None if self._closed else dict(self._info)

    @property
    def future_queue(self) -> WaitingCalls | None:
        """The calls that have not started (``qsize()``, ``empty()``); None after shutdown."""
        session = self._session
        return None if self._closed else WaitingCalls(session)

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

    def graph(self) -> RunGraph:
        """The graph of this run: its calls with their states and durations.

        The record begins with the first call of this method (calls that are still open then are in it, but
        not what they wait for), so call it before submitting. It grows with each call until the executor is
        gone. In draw mode there is no run: ``RuntimeError``.
        """
        session = self._session
        if session is None:
            raise RuntimeError("nothing runs here: this executor only draws what is submitted")
        if session.graph is None:
            from swiftlet._graphs._run import RunGraph

            session.watch(RunGraph(session.events().log(), session.settle))
        assert session.graph is not None
        return session.graph

    def events(self) -> Iterator[Event]:
        """What happens from now on, until the executor ends: an iterator that waits for the next event."""
        return self._active().events().iterate()


def _drawing(options: Options) -> Drawing:
    from swiftlet._graphs._drawing import Drawing

    return Drawing(
        options.plot_dependency_graph,
        options.plot_dependency_graph_filename,
        options.export_workflow_filename,
    )


class WaitingCalls:
    """The calls of an executor that have not started, as far as this process knows."""

    def __init__(self, session: Session | None) -> None:
        """``session`` is None in draw mode."""
        self._session = session

    def qsize(self) -> int:
        """How many there are."""
        if self._session is None:
            return 0
        connection = self._session.connection
        return max(0, len(connection.tasks) - connection.started)

    def empty(self) -> bool:
        """True if there are none."""
        return self.qsize() == 0
