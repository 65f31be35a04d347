# SPDX-License-Identifier: BSD-3-Clause
"""``SingleNodeExecutor``: Python calls on the cores of this machine."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future as StandardFuture
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeVar

from swiftlet import _serial
from swiftlet._errors import ResourceError
from swiftlet._executor import BaseExecutor
from swiftlet._futures import Future
from swiftlet._resources import Resources, check_fits, merged, usable_cores, validated
from swiftlet._selectors import FutureSelector
from swiftlet._session import Session
from swiftlet._version import __version__

if TYPE_CHECKING:
    from swiftlet._events import Event
    from swiftlet._shipping import Function

T = TypeVar("T")

_DEFAULT_REFRESH_RATE = 0.01
_OWNER = "SingleNodeExecutor"


class SingleNodeExecutor(BaseExecutor):
    """Runs Python calls on this machine: by default each in a clean interpreter state of its own, with
    ``block_allocation=True`` in workers that stay.

    Args:
        max_workers: How many calls run at once; with ``block_allocation`` the number of workers.
        cache_directory: Not available yet.
        max_cores: How many cores running calls may use together: cores times threads. By default, if
            ``max_workers`` is not given either, what this process may use.
        resource_dict: What each call gets unless its ``submit`` says otherwise; see ``ResourceDict``.
        hostname_localhost: Accepted; nothing here needs a network.
        block_allocation: Workers that stay: state is kept from call to call, and a call costs microseconds.
        init_function: Runs once in each such worker; the dict it returns holds arguments for later calls.
        disable_dependencies: Futures are refused as arguments.
        refresh_rate: Accepted; nothing here polls.
        plot_dependency_graph: Not available yet, as are ``plot_dependency_graph_filename`` and
            ``export_workflow_filename``.
        log_obj_size: Logs the size of what is sent and received on the logger ``executorlib``.
        wait: Has to be True, as ``shutdown(wait=False)`` says the same.
        restart_limit: How often a call that was running when its worker died is started again.
        openmpi_oversubscribe: Not available yet.

    The engine is a process of its own; it starts here and ends with ``shutdown``, with this object, or with
    this program. Raises ``EngineDiedError`` if it cannot be started, ``ValueError`` and ``TypeError`` for
    arguments that do not go together. All methods may be called from any thread.
    """

    def __init__(
        self,
        max_workers: int | None = None,
        cache_directory: str | None = None,
        max_cores: int | None = None,
        resource_dict: Mapping[str, Any] | None = None,
        hostname_localhost: bool | None = None,
        block_allocation: bool = False,
        init_function: Callable[..., Any] | None = None,
        disable_dependencies: bool = False,
        refresh_rate: float = _DEFAULT_REFRESH_RATE,
        plot_dependency_graph: bool = False,
        plot_dependency_graph_filename: str | None = None,
        export_workflow_filename: str | None = None,
        log_obj_size: bool = False,
        wait: bool = True,
        restart_limit: int = 0,
        openmpi_oversubscribe: bool = False,
    ) -> None:
        self._session: Session | None = None
        self._closed = False
        _check_combination(
            block_allocation,
            init_function,
            disable_dependencies,
            refresh_rate,
            plot_dependency_graph,
            wait,
            restart_limit,
        )
        _refuse_unavailable(
            cache_directory=cache_directory,
            plot_dependency_graph=plot_dependency_graph,
            plot_dependency_graph_filename=plot_dependency_graph_filename,
            export_workflow_filename=export_workflow_filename,
            openmpi_oversubscribe=openmpi_oversubscribe,
        )
        _check_count("max_workers", max_workers)
        _check_count("max_cores", max_cores)
        _check_count("restart_limit", restart_limit, least=0)
        self._base = validated(resource_dict)
        self._resources = merged(self._base, {}, _OWNER)
        if self._resources.restart_limit is not None:
            restart_limit = self._resources.restart_limit
        if block_allocation:
            max_workers = _worker_count(max_workers, max_cores, self._resources)
            self._limit = max_cores
        else:
            self._limit = max_cores if max_cores is not None or max_workers is not None else usable_cores()
        check_fits(self._resources, self._limit)
        self._warm = block_allocation
        self._max_workers = max_workers
        self._info: dict[str, Any] = {
            "cores": self._resources.cores,
            "cwd": self._resources.cwd,
            "openmpi_oversubscribe": False,
            "cache_directory": None,
            "hostname_localhost": hostname_localhost,
            "log_obj_size": log_obj_size,
            "spawner": "local",
            "max_workers": max_workers,
        }
        if block_allocation:
            self._info.update(
                init_function=init_function, queue_join_on_shutdown=True, restart_limit=restart_limit
            )
        else:
            self._info["max_cores"] = max_cores
        self._session = Session(
            version=__version__,
            warm=block_allocation,
            max_cores=None if block_allocation else self._limit,
            max_workers=max_workers,
            base=self._resources,
            init_function=init_function,
            restart_limit=restart_limit,
            log_sizes=log_obj_size,
            dependencies=not disable_dependencies,
        )

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
        call = validated(resource_dict)
        if self._warm:
            if any(self._base.get(key) != value for key, value in call.items()):
                raise ResourceError(
                    "When block_allocation is enabled, the resource requirements have to be defined on the "
                    "executor "
                    f"level. This call asks for {dict(call)!r}."
                )
            return self._resources
        resources = merged(self._base, call, _OWNER)
        check_fits(resources, self._limit)
        return resources

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
        session = getattr(self, "_session", None)
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
        _check_count("max_workers", number)
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


def _refuse_unavailable(**options: Any) -> None:
    for name, value in options.items():
        if value:
            raise NotImplementedError(f"{name}={value!r} is not available on {_OWNER} in this version")


def _check_combination(
    block_allocation: bool,
    init_function: object,
    disable_dependencies: bool,
    refresh_rate: float,
    plot_dependency_graph: bool,
    wait: bool,
    restart_limit: int,
) -> None:
    """The rules of executorlib's constructor."""
    if not wait:
        raise ValueError(
            "The wait_on_shutdown parameter is only supported for the executorlib.FluxClusterExecutor and "
            "executorlib.SlurmClusterExecutor. Use shutdown(wait=False)."
        )
    if not block_allocation and restart_limit != 0:
        raise ValueError(
            "The option to specify a restart limit for worker processes is only available with "
            "block_allocation=True."
        )
    if not block_allocation and init_function is not None:
        raise ValueError(
            "The option to specify an init_function is only available with block_allocation=True."
        )
    if init_function is not None and not callable(init_function):
        raise TypeError(f"init_function has to be callable, not {init_function!r}")
    if isinstance(refresh_rate, bool) or not isinstance(refresh_rate, (int, float)) or not refresh_rate > 0:
        raise ValueError(f"refresh_rate has to be a number of seconds above 0, not {refresh_rate!r}")
    if disable_dependencies and refresh_rate != _DEFAULT_REFRESH_RATE:
        raise ValueError("The sleep_interval parameter is only used when disable_dependencies=False.")
    if disable_dependencies and plot_dependency_graph:
        raise ValueError("The plot_dependency_graph parameter is only used when disable_dependencies=False.")


def _check_count(name: str, value: object, least: int = 1) -> None:
    if value is None:
        return
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{name} has to be a whole number, not {value!r}")
    if not least <= value <= 1_000_000:
        raise ValueError(f"{name} has to be at least {least} and at most 1000000, not {value}")


def _worker_count(max_workers: int | None, max_cores: int | None, resources: Resources) -> int:
    """How many workers stay: ``max_workers``, else as many as fit in ``max_cores``, else the usable cores."""
    if max_workers is not None:
        return max_workers
    if max_cores is not None:
        check_fits(resources, max_cores)
        return max_cores // resources.total_cores
    count = usable_cores()
    warnings.warn(
        f"max_workers parameter is not set, set default based on CPU count to: max_workers={count}",
        UserWarning,
        stacklevel=3,
    )
    return count
