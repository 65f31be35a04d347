# SPDX-License-Identifier: BSD-3-Clause
"""The watcher of a worker that is a job step: ends it when its engine is gone, whatever the call is doing.

Slurm keeps a step whose srun was killed running to its end, and a call that computes does not read its
connection. The watcher is a process of its own because no thread runs while C code holds the interpreter; it
is not the worker's child, so that no call that waits for its children meets it.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
from typing import NoReturn

_GRACE = 2.0
"""Seconds that the worker has to end by itself, and then after SIGTERM."""


class Watcher:
    """Started before anything heavy is loaded; watches from ``over`` on."""

    def __init__(self) -> None:
        ours, theirs = socket.socketpair()
        worker = os.getpid()
        middle = os.fork()
        if middle == 0:
            if os.fork() == 0:
                try:
                    ours.close()
                    os.setsid()
                    _watch(worker, theirs)
                finally:
                    os._exit(0)
            os._exit(0)
        os.waitpid(middle, 0)
        theirs.close()
        self._socket = ours

    def over(self, descriptor: int) -> None:
        """The worker ends when the connection ``descriptor`` does."""
        with self._socket:
            socket.send_fds(self._socket, [b"x"], [descriptor])


def _watch(worker: int, told: socket.socket) -> NoReturn:
    # A signal to all processes of the step is the worker's to act on.
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    _keep_only(told.fileno())
    _, descriptors, _, _ = socket.recv_fds(told, 1, 1)
    if not descriptors:  # the worker ended before it was connected
        os._exit(0)
    told.close()
    end = _End(worker)
    end.wait(descriptors[0], None)
    if not end.wait(None, _GRACE):
        end.signal(signal.SIGTERM)
        if not end.wait(None, _GRACE):
            end.signal(signal.SIGKILL)
    os._exit(0)


def _keep_only(descriptor: int) -> None:
    """Holds nothing open that somebody waits for the end of."""
    null = os.open(os.devnull, os.O_RDWR)
    for stream in range(3):
        os.dup2(null, stream)
    os.closerange(3, descriptor)
    os.closerange(descriptor + 1, 1 << 16)


class _End:
    """Of the worker."""

    def __init__(self, worker: int) -> None:
        self._worker = worker
        self._process: int | None = None
        with contextlib.suppress(OSError):  # a kernel before 5.3
            self._process = os.pidfd_open(worker)

    def wait(self, connection: int | None, seconds: float | None) -> bool:
        """Until the worker has ended (true), its connection has, or so many seconds have passed."""
        poll = select.poll()
        if self._process is not None:
            poll.register(self._process, select.POLLIN)
        if connection is not None:
            poll.register(connection, select.POLLRDHUP)
        while True:
            step = 1.0 if self._process is None and seconds is None else seconds
            ready = dict(poll.poll(None if step is None else step * 1000))
            if self._process in ready or not self._is_alive():
                return True
            if ready or seconds is not None:
                return False

    def signal(self, number: int) -> None:
        """To the worker and what it has started."""
        with contextlib.suppress(ProcessLookupError):
            if os.getpgid(self._worker) == self._worker:
                os.killpg(self._worker, number)
            else:
                os.kill(self._worker, number)

    def _is_alive(self) -> bool:
        try:
            os.kill(self._worker, 0)
        except ProcessLookupError:
            return False
        return True
