# SPDX-License-Identifier: BSD-3-Clause
"""Rank 0's view of its group: it hands calls to the other ranks and hears how each of them ended.

A thread listens to the others while this rank runs its own part of a call, so that a rank that raises or
dies is
noticed although rank 0 may be waiting for it inside MPI.
"""

from __future__ import annotations

import os
import selectors
import socket
import sys
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from swiftlet._wire import Part
from swiftlet._worker import _transfer
from swiftlet._worker._control import Control

GRACE = 2.0
"""Seconds that the other ranks may go on after one has raised, and that a launcher may take to end a group in
which one has died."""
RANK_DIED = 71


class Report(NamedTuple):
    """How a rank's part of a call ended: with an error or a value, and its payload.

    Of a value's large parts only the lengths are here. An error is here as a whole: rank 0 may be stuck in
    MPI.
    """

    error: bool
    parts: list[bytes | int]


def report_of(error: bool, parts: Sequence[Any]) -> tuple[Report, list[memoryview]]:
    """The report, and the large parts that wait to be collected."""
    if error:
        return Report(True, [bytes(part) for part in parts]), []
    small, large = _transfer.split(parts)
    return Report(False, small), large


class RanksFailedError(Exception):
    """A rank of the group raised. Carries the payload of its error."""

    def __init__(self, parts: list[Part]) -> None:
        super().__init__("a rank raised")
        self.parts = parts


class Group:
    """The other ranks, by their numbers. One call at a time."""

    def __init__(
        self, comm: Any, others: dict[int, Control], abort: Callable[[list[Part]], None], grace: float = GRACE
    ) -> None:
        """``abort`` is called on the listening thread when a call has failed and cannot end: with the payload
        of the error. It has to end the process.
        """
        self.comm = comm
        self.size = len(others) + 1
        self._others = others
        self._abort = abort
        self._grace = grace
        self._changed = threading.Condition()
        self._reports: dict[int, Report] = {}
        self._expected = False
        self._deadline: float | None = None
        self._ending = False
        self._wake, self._wake_end = socket.socketpair()
        threading.Thread(target=self._listen, daemon=True, name="swiftlet ranks").start()

    def begin(self, message: dict[str, Any], payloads: Sequence[Sequence[Any]] = ()) -> None:
        """Every other rank does what the message says, each with copies of the payloads."""
        split = [_transfer.split(parts) for parts in payloads]
        with self._changed:
            self._reports.clear()
            self._deadline = None
            self._expected = True
        message["payloads"] = [small for small, _ in split]
        self._tell(message)
        for _, large in split:
            _transfer.broadcast(self.comm, large)

    def conclude(self, error: bool, parts: Sequence[Any], root_only: bool = False) -> list[list[Any]]:
        """Rank 0's own end of the call. Waits for the others; the payloads by rank, or only rank 0's.

        ``RanksFailedError`` with the error of the lowest rank that raised. Does not return if a rank that
        raised keeps others waiting for ever: then ``abort`` is called.
        """
        self._report(0, report_of(error, parts)[0])
        with self._changed:
            while len(self._reports) < self.size:
                self._changed.wait()
            self._expected = False
            reports = dict(self._reports)
        failed = min((rank for rank, report in reports.items() if report.error), default=None)
        payloads = [list(parts)]
        for rank in range(1, self.size):
            large = _transfer.buffers(reports[rank].parts)
            wanted = failed is None and not root_only
            if large:
                self._others[rank].send({"do": "collect", "wanted": wanted})
            if wanted:
                _transfer.receive(self.comm, large, rank)
                payloads.append(_transfer.joined(reports[rank].parts, large))
        if failed is not None:
            raise RanksFailedError(list(reports[failed].parts))  # type: ignore[arg-type]
        return payloads

    def end(self) -> None:
        """The other ranks end, as interpreters do."""
        self._ending = True
        self._tell({"do": "end"})

    def _tell(self, message: dict[str, Any]) -> None:
        for rank, control in self._others.items():
            try:
                control.send(message)
            except OSError:
                self._died(rank)

    def _report(self, rank: int, report: Report) -> None:
        with self._changed:
            self._reports[rank] = report
            if report.error and self._deadline is None:
                self._deadline = time.monotonic() + self._grace
                self._wake_end.send(b"\0")
            self._changed.notify_all()

    # The listening thread

    def _listen(self) -> None:
        selector = selectors.DefaultSelector()
        selector.register(self._wake, selectors.EVENT_READ)
        for rank, control in self._others.items():
            selector.register(control.socket, selectors.EVENT_READ, rank)
        while True:
            for key, _ in selector.select(self._patience()):
                if key.data is None:
                    self._wake.recv(64)
                    continue
                try:
                    message = self._others[key.data].receive()
                except EOFError:
                    selector.unregister(key.fileobj)
                    self._died(key.data)
                else:
                    self._report(key.data, Report(*message))
            self._give_up_if_late()

    def _patience(self) -> float | None:
        with self._changed:
            if self._deadline is None or not self._expected:
                return None
            return max(0.0, self._deadline - time.monotonic())

    def _give_up_if_late(self) -> None:
        with self._changed:
            late = (
                self._expected
                and self._deadline is not None
                and time.monotonic() >= self._deadline
                and len(self._reports) < self.size
            )
            if not late:
                return
            self._expected = False
            rank = min(rank for rank, report in self._reports.items() if report.error)
            parts = self._reports[rank].parts
        self._abort(list(parts))  # type: ignore[arg-type]

    def _died(self, rank: int) -> None:
        if self._ending:
            return
        sys.stderr.write(f"swiftlet: rank {rank} of {self.size} has ended before its group\n")
        sys.stderr.flush()
        time.sleep(self._grace)  # its launcher notices, too, and ends the group with the reason
        os._exit(RANK_DIED)
