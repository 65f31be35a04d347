# SPDX-License-Identifier: BSD-3-Clause
"""``batched``: futures of groups of results, in order of completion."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import Future as StandardFuture
from typing import Any

from swiftlet._futures import NOTIFIED, Future


def batched(inputs: Sequence[StandardFuture[Any]], n: int) -> list[Future[list[Any]]]:
    """One future for each ``n`` of the inputs; each gives the results of the next ``n`` inputs that
    completed, in the order of ``inputs``. Inputs that failed are left out while others remain; batches that
    are left over then get the exception of the first input that failed.
    """
    count = -(-len(inputs) // n)
    batches: list[Future[list[Any]]] = [Future(name="batched") for _ in range(count)]
    if batches:
        _Grouping(list(inputs), n, batches)
    return batches


class _Grouping:
    def __init__(self, inputs: list[StandardFuture[Any]], n: int, batches: list[Future[list[Any]]]) -> None:
        self._lock = threading.Lock()
        self._inputs = inputs
        self._n = n
        self._batches = batches
        self._next = 0
        self._waiting = len(inputs)
        self._good: list[int] = []
        self._bad: list[int] = []
        for index, future in enumerate(inputs):
            future.add_done_callback(lambda done, index=index: self._done(index))  # type: ignore[misc]

    def _done(self, index: int) -> None:
        future = self._inputs[index]
        failed = future.cancelled() or future.exception() is not None
        filled: list[tuple[Future[list[Any]], list[int]]] = []
        with self._lock:
            self._waiting -= 1
            (self._bad if failed else self._good).append(index)
            last = self._waiting == 0
            while len(self._good) >= self._n or (last and self._good):
                group = sorted(self._good[: self._n])
                del self._good[: self._n]
                filled.append((self._batches[self._next], group))
                self._next += 1
            left = self._batches[self._next :] if last else []
        for batch, group in filled:
            _fill(batch, [self._inputs[member] for member in group])
        if left:
            first = self._inputs[min(self._bad)]
            for batch in left:
                if first.cancelled():
                    batch._settle(NOTIFIED)
                else:
                    batch._finish(None, first.exception())


def _fill(batch: Future[list[Any]], members: list[StandardFuture[Any]]) -> None:
    try:
        batch._finish([member.result() for member in members], None)
    except BaseException as error:  # a member was given another outcome by hand
        batch._finish(None, error)
