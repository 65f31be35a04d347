# SPDX-License-Identifier: BSD-3-Clause
"""The connection of an executor whose calls are jobs: they may wait for futures of others, and outlive this
program.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from swiftlet import _exit, _serial, _wire
from swiftlet._connection import Connection
from swiftlet._futures import NOTIFIED, Future

LEAVE_SECONDS = 60.0


class RenderingConnection(Connection):
    """A connection whose engine has batch scripts made of the user's templates."""

    def __init__(self, version: str) -> None:
        self.render: Callable[[dict[str, Any]], str] | None = None
        """Makes a batch script; called on the resolver's thread."""
        super().__init__(version)

    def _handle(self, kind: int, flags: int, ident: int, body: _wire.Buffer) -> None:
        if kind == _wire.RENDER:
            variables = _wire.unpack_attributes(body)[0]
            return _serial.resolver.run(lambda: self._render(ident, variables))
        return super()._handle(kind, flags, ident, body)

    def _render(self, ident: int, variables: dict[str, Any]) -> None:
        """Answers the engine, which wants a batch script of the template that came with a request."""
        try:
            if self.render is None:
                raise ValueError("there is no template")
            text, flags = self.render(variables), 0
        except Exception as error:
            text, flags = str(error), 1
        self.outgoing.post(_wire.frame(_wire.RENDERED, ident, text.encode(errors="surrogateescape"), flags))


class ClusterConnection(RenderingConnection):
    """A connection that can be left: what was submitted goes on without it."""

    def __init__(self, version: str) -> None:
        self._held: set[Future[Any]] = set()
        self._close_when_free = False
        self._has_told = True
        self._left = threading.Event()
        super().__init__(version)

    # Calls that cannot be submitted yet

    def hold(self, future: Future[Any]) -> None:
        """The future's call will be submitted later."""
        self._held.add(future)

    def let_go(self, future: Future[Any]) -> None:
        """The future's call has been submitted, or has ended."""
        self._held.discard(future)
        if self._close_when_free and not self._held:
            super().shut_down(False)

    # What goes to the engine

    def submitted(self, future: Future[Any], place: tuple[str, str]) -> None:
        """Remembers where a call's outcome will be."""
        self.places[future._ident] = place
        self._has_told = False

    def wait_for(self, future: Future[Any], deadline: float | None) -> None:
        """Somebody is going to wait: what was gathered is to be queued now."""
        if not self._has_told:
            self._has_told = True
            self.outgoing.post(_wire.frame(_wire.WAITS, 0))
        super().wait_for(future, deadline)

    def shut_down(self, cancel: bool) -> None:
        """As for any connection; calls that wait for futures of others are submitted first, or cancelled."""
        if cancel:
            for future in list(self._held):
                future.cancel()
        elif self._held:
            self._close_when_free = True
            return
        super().shut_down(cancel)

    def end_at_exit(self) -> None:
        """Leaves at once, when everything that can be queued is queued."""
        if self.ended.is_set():
            return
        self.leaves = True
        self.outgoing.post(_wire.frame(_wire.LEAVE, 0))
        self.attend()
        self._left.wait(LEAVE_SECONDS)
        self.abandon()

    def _handle(self, kind: int, flags: int, ident: int, body: _wire.Buffer) -> None:
        if kind != _wire.LEFT:
            return super()._handle(kind, flags, ident, body)
        left = ident + len(self._held)
        if left:
            calls = "1 call is" if left == 1 else f"{left} calls are"
            _exit.say(
                f"swiftlet: {calls} not queued yet; submit again with the same cache_directory to go on"
            )
        self._left.set()
        return None

    def stream_ended(self, reason: str) -> None:
        self._left.set()
        super().stream_ended(reason)
        for future in list(self._held):
            if self._abandoned:
                future._settle(NOTIFIED)
            else:
                future._finish(None, self._failure)
        self._held.clear()
