# SPDX-License-Identifier: BSD-3-Clause
"""Futures as inputs of calls, wherever they are in the arguments.

A future of the same executor becomes the number of its task: its value goes from worker to worker. Any other
future becomes an external task that this process ends when the future is done.
"""

from __future__ import annotations

import functools
import weakref
from concurrent.futures import CancelledError
from concurrent.futures import Future as StandardFuture
from typing import Any

from swiftlet import _payload, _wire
from swiftlet._connection import Connection
from swiftlet._errors import InputError
from swiftlet._futures import Future
from swiftlet._keyvalues import Digester, digest_of
from swiftlet._selectors import FutureSelector
from swiftlet._serial import resolver


class Externals:
    """The futures of others that calls of one connection have as inputs."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._numbers: weakref.WeakKeyDictionary[StandardFuture[Any], int] = weakref.WeakKeyDictionary()
        self._futures: dict[int, weakref.ref[StandardFuture[Any]]] = {}
        self._open: set[StandardFuture[Any]] = set()
        connection.resolved = self.error_of

    def number(self, future: StandardFuture[Any]) -> int:
        """The task that stands for the future."""
        number = self._numbers.get(future)
        if number is None:
            number = self._connection.new_external()
            self._futures[number] = weakref.ref(future, functools.partial(self._gone, number))
            if future.done():
                self._resolve(number, future)
            else:
                self._open.add(future)
                future.add_done_callback(functools.partial(self._done, number))
            # Last: a number that a Ctrl-C keeps from being resolved must not be used again.
            self._numbers[future] = number
        return number

    def error_of(self, number: int) -> BaseException | None:
        """The exception of the future that task ``number`` stands for, while somebody has it."""
        reference = self._futures.get(number)
        future = reference() if reference is not None else None
        if future is None or not future.done() or future.cancelled():
            return None
        return future.exception()

    def _done(self, number: int, future: StandardFuture[Any]) -> None:
        """Runs wherever the future's owner calls callbacks: only passes on."""
        resolver.run(lambda: self._resolve(number, future))

    def _gone(self, number: int, _: object) -> None:
        self._futures.pop(number, None)
        self._connection.abandoned(number, None)

    def _resolve(self, number: int, future: StandardFuture[Any]) -> None:
        connection = self._connection
        self._open.discard(future)
        try:
            error = future.exception()
            parts = None if error is not None else _payload.dumps(future.result(), connection.producer)
        except CancelledError:
            connection.resolve(number, _wire.KIND_CANCELLED, [])
            return
        except Exception as failure:
            error = InputError(f"the result of {future!r}, an input of a call, cannot be sent: {failure}")
            error.__cause__ = failure
            parts = None
        if parts is None:
            assert error is not None
            parts = _payload.dump_error(error, connection.producer)
            connection.resolve(number, _wire.KIND_ERROR, parts)
        else:
            connection.resolve(number, _wire.KIND_VALUE, parts)


def source_of(future: StandardFuture[Any]) -> tuple[StandardFuture[Any], tuple[object, ...]]:
    """The future that selectors stand before, and the keys to follow in its value."""
    path: list[object] = []
    while isinstance(future, FutureSelector):
        path.insert(0, future._selector)
        future = future._future
    return future, tuple(path)


class InputDigests:
    """What the futures in the arguments of a call are in its key: the key of their own call, or their value.

    None for a future of which neither is known.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def __call__(self, obj: object) -> bytes | None:
        assert isinstance(obj, StandardFuture)
        future, path = source_of(obj)
        place = None
        if isinstance(future, Future) and future._link is self._connection:
            place = self._connection.places.get(future._ident)
        if place is not None:
            return digest_of("entry", place[1].encode(), Digester().of(path))
        if not future.done() or future.cancelled() or future.exception() is not None:
            return None
        values = Digester()
        digest = digest_of("value", values.of(future.result()), values.of(path))
        return None if values.unstable else digest


class Inputs:
    """Collects the futures in the arguments of one call; what ``_payload.dumps`` asks for each object."""

    __slots__ = ("_connection", "_externals", "_found", "_positions", "numbers", "refused")

    def __init__(self, connection: Connection, externals: Externals | None) -> None:
        """Without ``externals`` no future is an input; ``refused`` says if there was one."""
        self._connection = connection
        self._externals = externals
        self._positions: dict[int, int] | None = None
        self.numbers: list[int] | None = None
        self.refused = False

    def __call__(self, obj: object) -> _payload.Input | None:
        """What stands for ``obj`` in the payload, if it is a future."""
        if not isinstance(obj, StandardFuture):
            return None
        if self._externals is None:
            self.refused = True
            return None
        future, path = source_of(obj)
        if isinstance(future, Future) and future._link is self._connection and future._ident:
            number = future._ident
        else:
            number = self._externals.number(future)
        if self._positions is None or self.numbers is None:
            self._positions, self.numbers, self._found = {}, [], []
        position = self._positions.get(number)
        if position is None:
            position = self._positions[number] = len(self.numbers)
            self.numbers.append(number)
            self._found.append(obj)  # alive until the call is sent: its task may be named
        return _payload.Input(position, path)
