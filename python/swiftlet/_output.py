# SPDX-License-Identifier: BSD-3-Clause
"""What tasks print, written to this program's own ``sys.stdout`` and ``sys.stderr`` as it comes.

A thread of its own does it: a reader of our output who does not read blocks this thread, then (as it
acknowledges nothing more) the engine's reading of what tasks print, and so the tasks that print; never
anything else.
"""

from __future__ import annotations

import codecs
import contextlib
import sys
import threading
from collections.abc import Callable
from queue import SimpleQueue

STDOUT, STDERR = 1, 2


class OutputWriter:
    """Writes what ``put`` gets; ``acknowledge(n)`` is called when n bytes have been written, or dropped."""

    def __init__(self, acknowledge: Callable[[int], None]) -> None:
        self._acknowledge = acknowledge
        self._queue: SimpleQueue[tuple[int, int, bytes] | None] = SimpleQueue()
        self._thread: threading.Thread | None = None
        self._decoders: dict[tuple[int, int], codecs.IncrementalDecoder] = {}

    def put(self, task: int, stream: int, data: bytes) -> None:
        """Takes what a task printed. Never waits. For one thread."""
        self._queue.put((task, stream, data))
        if self._thread is None:
            self._thread = threading.Thread(target=self._loop, name="swiftlet-output", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """Ends the thread once it has written what came so far."""
        self._queue.put(None)

    def drain(self) -> None:
        """After ``stop``: waits until all is written."""
        thread = self._thread
        if thread is not None and thread is not threading.current_thread():
            thread.join()

    def _loop(self) -> None:
        while True:
            item = self._queue.get()
            if item is None:
                return
            task, stream, data = item
            self._write(task, stream, data)
            self._acknowledge(len(data))

    def _write(self, task: int, stream: int, data: bytes) -> None:
        decoder = self._decoders.get((task, stream))
        if decoder is None:
            decoder = codecs.getincrementaldecoder("utf-8")("replace")
        text = decoder.decode(data)
        if decoder.getstate()[0]:
            self._decoders[task, stream] = decoder  # a character is cut in two: the rest comes next
        else:
            self._decoders.pop((task, stream), None)
        target = sys.stderr if stream == STDERR else sys.stdout
        with contextlib.suppress(Exception):  # closed, or replaced by something that is no file
            target.write(text)
            target.flush()
