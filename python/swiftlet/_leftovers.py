# SPDX-License-Identifier: BSD-3-Clause
"""What finalisers leave behind for the engine: tasks that nobody refers to, parts of segments not in use.

A finaliser may run anywhere, also while its thread holds any lock: here it only appends to a queue. Whoever
sends next takes the frames along; where that may be long, the connection is told.
"""

from __future__ import annotations

import struct
from collections import deque
from collections.abc import Callable

from swiftlet import _outcome, _wire
from swiftlet._segments import FreedSegments, SegmentConsumer

RELEASE_TOGETHER = 256


class Leftovers:
    """``soon()`` is called, on any thread and in finalisers, when they are worth sending now."""

    def __init__(self, consumer: SegmentConsumer, soon: Callable[[], None]) -> None:
        self._consumer = consumer
        self._soon = soon
        self._released: deque[int] = deque()
        self._dropped: deque[bytes] = deque()
        self._are_due = False
        consumer.freed = FreedSegments(self.due)

    def release(self, task: int) -> None:
        """Nobody refers to the task any more."""
        self._released.append(task)
        if len(self._released) > RELEASE_TOGETHER:
            self._soon()

    def drop(self, outcome: bytes) -> None:
        """Nobody will look at the outcome; what of it lies in segments is to be freed."""
        if not _outcome.is_small(outcome):
            self._dropped.append(outcome)
            self.due()

    def due(self) -> None:
        """They are to be sent soon, however few they are."""
        self._are_due = True
        self._soon()

    def frames(self) -> list[bytes]:
        """What there is, once it is worth a frame."""
        if not self._are_due and len(self._released) <= RELEASE_TOGETHER:
            return []
        self._are_due = False
        frames: list[bytes] = []
        while self._dropped:
            for part in _outcome.segment_parts(self._dropped.popleft()):
                deque.append(self._consumer.freed, part.segment)
        released = [self._released.popleft() for _ in range(len(self._released))]
        if released:
            body = struct.pack(f"<{len(released)}Q", *released)
            frames.append(_wire.frame(_wire.RELEASE, 0, body))
        freed = self._consumer.take_free_frame()
        if freed is not None:
            frames.append(freed)
        return frames
