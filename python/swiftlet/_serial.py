# SPDX-License-Identifier: BSD-3-Clause
"""Threads that run what they are given, one thing after the other.

``callbacks`` runs the callbacks of ended futures, never on the thread that reads from the engine.
``resolver`` encodes the results of foreign futures: not on the other one, whose callbacks may be waiting for
just that.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from queue import SimpleQueue


class SerialThread:
    """A daemon thread, started when it first has something to run."""

    def __init__(self, name: str) -> None:
        self._name = name
        self.reset_after_fork()

    def run(self, job: Callable[[], object]) -> None:
        """Has ``job`` called soon, in the order of the calls of this method. What it raises is logged."""
        self._queue.put(job)
        if self._thread is None:
            self._start()

    def is_current(self) -> bool:
        """True on the thread itself."""
        return threading.current_thread() is self._thread

    def drain(self) -> None:
        """Waits until everything that was asked for so far has run; returns at once on the thread itself."""
        if self._thread is None or self.is_current():
            return
        done = threading.Event()
        self.run(done.set)
        done.wait()

    def reset_after_fork(self) -> None:
        """In a forked child: the thread is gone, and what it was to run belongs to the parent."""
        self._queue: SimpleQueue[Callable[[], object]] = SimpleQueue()
        self._lock = threading.RLock()
        self._thread: threading.Thread | None = None

    def _start(self) -> None:
        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(target=self._loop, name=self._name, daemon=True)
                self._thread.start()

    def _loop(self) -> None:
        while True:
            job = self._queue.get()
            try:
                job()
            except BaseException:  # a callback's SystemExit must not end the thread of all callbacks
                logging.getLogger("concurrent.futures").exception("exception in %r", job)
            del job


callbacks = SerialThread("swiftlet-callbacks")
resolver = SerialThread("swiftlet-resolver")
