# SPDX-License-Identifier: BSD-3-Clause
"""The engine's stream of events: what happens to tasks and workers, when."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from queue import SimpleQueue
from typing import Any, final

from swiftlet import _wire
from swiftlet._connection import Connection

_HEAD = struct.Struct("<BQII")
_KINDS = {1: "submitted", 2: "ready", 3: "started", 4: "ended", 5: "worker up", 6: "worker down"}


@final
@dataclass(frozen=True)
class Event:
    """Something that happened."""

    kind: str
    """``submitted``, ``ready``, ``started``, ``ended``, ``worker up`` or ``worker down``."""
    task: int
    """The number of the task, or 0."""
    time: float
    """Seconds since the epoch."""
    worker: int
    attempt: int
    details: dict[str, Any] = field(default_factory=dict)


class EventStream:
    """Passes the events of one connection on to any number of iterators."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._queues: list[SimpleQueue[tuple[int, bytes] | None]] = []
        connection.on_event = self._arrived

    def iterate(self) -> Iterator[Event]:
        """All events from now on, until the engine ends or the iterator is closed."""
        return self._events(self._queue())

    def log(self) -> EventLog:
        """All events from now on, for somebody who looks now and then and never waits."""
        return EventLog(self._queue())

    def _queue(self) -> SimpleQueue[tuple[int, bytes] | None]:
        queue: SimpleQueue[tuple[int, bytes] | None] = SimpleQueue()
        self._queues.append(queue)
        if len(self._queues) == 1:
            self._connection.subscribe(True)
        if self._connection.ended.is_set():
            queue.put(None)
        return queue

    def _events(self, queue: SimpleQueue[tuple[int, bytes] | None]) -> Iterator[Event]:
        try:
            while True:
                item = queue.get()
                if item is None:
                    return
                yield _event(*item)
        finally:
            self._queues.remove(queue)
            if not self._queues and not self._connection.ended.is_set():
                self._connection.subscribe(False)

    def _arrived(self, task: int, body: bytes) -> None:
        """On the reading thread; an empty body is the end."""
        item = (task, body) if body else None
        for queue in list(self._queues):
            queue.put(item)


class EventLog:
    """Events that gather until they are taken."""

    def __init__(self, queue: SimpleQueue[tuple[int, bytes] | None]) -> None:
        self._queue = queue

    def waiting(self) -> int:
        """How many have gathered."""
        return self._queue.qsize()

    def take(self) -> list[Event]:
        """Those that have gathered since the last time."""
        items = [self._queue.get() for _ in range(self._queue.qsize())]
        return [_event(*item) for item in items if item is not None]


def _event(task: int, body: bytes) -> Event:
    kind, time, worker, attempt = _HEAD.unpack_from(body)
    details, _ = _wire.unpack_attributes(body, _HEAD.size)
    return Event(_KINDS.get(kind, str(kind)), task, time / 1e9, worker, attempt, details)
