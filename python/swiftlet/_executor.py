# SPDX-License-Identifier: BSD-3-Clause
"""What all executors have in common."""

from __future__ import annotations

import abc
import concurrent.futures
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future as StandardFuture
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeVar, overload

from swiftlet import _batched, _map
from swiftlet._futures import Future

if TYPE_CHECKING:
    from typing_extensions import ParamSpec

    P = ParamSpec("P")

T = TypeVar("T")


class BaseExecutor(concurrent.futures.Executor, abc.ABC):
    """An executor of Python calls: ``concurrent.futures.Executor`` with resources, and futures as
    arguments.
    """

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

    @abc.abstractmethod
    def submit(
        self,
        fn: Callable[..., T],
        /,
        *args: Any,
        resource_dict: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> Future[T]:
        """Schedules ``fn(*args, **kwargs)``. See the executors."""

    @abc.abstractmethod
    def _submit_calls(self, function: Any, calls: tuple[Any, ...] | list[tuple[Any, ...]]) -> Future[Any]:
        """Schedules one call (an args tuple) or a chunk of calls (a list of them) of a function that ``map``
        prepared by ``_prepare``."""

    @abc.abstractmethod
    def _prepare(self, fn: Callable[..., Any]) -> Any:
        """Pickles a function once for many calls."""

    @abc.abstractmethod
    def _cancel_if_waiting(self, future: StandardFuture[Any]) -> None:
        """Cancels a call only if it has not started."""

    def map(
        self,
        fn: Callable[..., T],
        *iterables: Iterable[Any],
        timeout: float | None = None,
        chunksize: int = 1,
        buffersize: int | None = None,
    ) -> Iterator[T]:
        """``fn(*items)`` for the items of the iterables side by side; the results come in their order.

        All calls are submitted at once, or with ``buffersize`` only so many ahead of the results that were
        taken. ``chunksize`` calls travel together. An iterable may be a future of one: that is waited for.
        What a call raises is raised in its turn and ends the iterator; calls that have not started are
        cancelled then.
        """
        if chunksize < 1:
            raise ValueError("chunksize must be >= 1.")
        if buffersize is not None:
            if not isinstance(buffersize, int):
                raise TypeError("buffersize must be an integer or None")
            if buffersize < 1:
                raise ValueError("buffersize must be None or > 0")
        function = self._prepare(fn)
        sources = _map.resolved(iterables)
        chunked = chunksize > 1
        work: Iterator[Any] = _map.chunks(sources, chunksize) if chunked else iter(zip(*sources))
        if buffersize is not None and chunked:
            buffersize = -(-buffersize // chunksize)
        return _map.results(
            lambda calls: self._submit_calls(function, calls),
            work,
            chunked,
            timeout,
            buffersize,
            self._cancel_if_waiting,
        )

    def batched(self, iterable: Iterable[StandardFuture[Any]], n: int) -> list[Future[list[Any]]]:
        """Futures of lists of results, ``n`` in each, grouped as the futures complete.

        ``ceil(len / n)`` futures; within a list the order is that of ``iterable``. Futures that failed are
        left out while enough others remain; what is left over then gets the exception of the first that
        failed.
        """
        return _batched.batched(list(iterable), n)

    @property
    @abc.abstractmethod
    def max_workers(self) -> int | None:
        """The number of workers; None if it is not limited, or after shutdown."""

    @property
    @abc.abstractmethod
    def info(self) -> dict[str, Any] | None:
        """The settings; None after shutdown."""

    @property
    @abc.abstractmethod
    def future_queue(self) -> Any:
        """The calls that wait (``qsize()``, ``empty()``); None after shutdown."""

    def __len__(self) -> int:
        """How many calls wait to be started."""
        queue = self.future_queue
        return 0 if queue is None else queue.qsize()

    def __bool__(self) -> bool:
        return True

    def __enter__(self: E) -> E:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.shutdown(wait=True)


E = TypeVar("E", bound=BaseExecutor)
