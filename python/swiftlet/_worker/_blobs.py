# SPDX-License-Identifier: BSD-3-Clause
"""The blobs a worker has received, and what was made of them. The engine bounds their number by FORGET."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from typing import Any, NamedTuple

from swiftlet import _wire
from swiftlet._worker._presets import presettable

_REUSABLE = 0


class Function(NamedTuple):
    """A callable, and the names of the parameters that presets may fill."""

    call: Callable[..., Any]
    parameters: tuple[str, ...]


class Blobs:
    """Blobs by id: bytes until they are needed, then a context or a function, by their place in a call."""

    def __init__(self) -> None:
        self._bytes: dict[int, bytes] = {}
        self._contexts: dict[int, dict[str, Any]] = {}
        self._functions: dict[int, Function] = {}

    def add(self, ident: int, data: bytes) -> None:
        """BLOB arrived."""
        self._bytes[ident] = data

    def forget(self, ident: int) -> None:
        """FORGET arrived."""
        self._bytes.pop(ident, None)
        self._contexts.pop(ident, None)
        self._functions.pop(ident, None)

    def raw(self, ident: int) -> bytes:
        """The blob as it arrived."""
        return self._take(ident)

    def context(self, ident: int) -> dict[str, Any]:
        """The surroundings of a call."""
        context = self._contexts.get(ident)
        if context is None:
            context = self._contexts[ident] = pickle.loads(self._take(ident))
        return context

    def function(self, ident: int) -> Function:
        """The callable of a call; the one of the last call if the client says that calls cannot change it.

        Raises what unpickling raises.
        """
        function = self._functions.get(ident)
        if function is None:
            data = self._take(ident)
            call = pickle.loads(memoryview(data)[1:])
            function = Function(call, presettable(call))
            if data[0] == _REUSABLE:
                self._functions[ident] = function
        return function

    def _take(self, ident: int) -> bytes:
        try:
            return self._bytes[ident]
        except KeyError:
            raise _wire.ProtocolError(f"blob {ident} was named but never sent") from None
