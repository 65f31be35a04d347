# SPDX-License-Identifier: BSD-3-Clause
"""``Executor.map``: calls in order, in chunks, and if wanted only so many ahead of who takes the results."""

from __future__ import annotations

import itertools
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future as StandardFuture
from typing import Any

from swiftlet._futures import Future, is_future


def resolved(iterables: Iterable[Any]) -> list[Any]:
    """The iterables themselves where futures of them were given. Waits for those."""
    return [entry.result() if is_future(entry) else entry for entry in iterables]


def chunks(iterables: list[Any], size: int) -> Iterator[list[tuple[Any, ...]]]:
    """The argument tuples of calls, ``size`` in each list, the last one shorter."""
    calls = zip(*iterables)
    while True:
        chunk = list(itertools.islice(calls, size))
        if not chunk:
            return
        yield chunk


def run_chunk(function: Callable[..., Any], calls: list[tuple[Any, ...]]) -> list[Any]:
    """What each of the calls of a chunk returns, where a chunk is a call like others."""
    return [function(*arguments) for arguments in calls]


def results(
    submit: Callable[[Any], Future[Any]],
    work: Iterator[Any],
    chunked: bool,
    timeout: float | None,
    ahead: int | None,
    cancel: Callable[[StandardFuture[Any]], object],
) -> Iterator[Any]:
    """Submits what ``work`` gives, now or (``ahead``) so many at a time, and iterates over the results in
    order.

    What has not started when the iterator ends early is cancelled. ``TimeoutError`` after ``timeout``
    seconds.
    """
    deadline = None if timeout is None else time.monotonic() + timeout
    futures: deque[Future[Any]] = deque()
    try:
        futures.extend(map(submit, itertools.islice(work, ahead)))
    except BaseException:
        for future in futures:
            cancel(future)
        raise
    return _taken(submit, work, futures, chunked, deadline, ahead is not None, cancel)


def _taken(
    submit: Callable[[Any], Future[Any]],
    work: Iterator[Any],
    futures: deque[Future[Any]],
    chunked: bool,
    deadline: float | None,
    refill: bool,
    cancel: Callable[[StandardFuture[Any]], object],
) -> Iterator[Any]:
    try:
        while futures:
            if refill:
                futures.extend(map(submit, itertools.islice(work, 1)))
            remaining = None if deadline is None else max(0.0, deadline - time.monotonic())
            value = futures[0].result(remaining)
            futures.popleft()
            if chunked:
                value.reverse()
                while value:
                    yield value.pop()
            else:
                yield value
            del value
    finally:
        for future in futures:
            cancel(future)
