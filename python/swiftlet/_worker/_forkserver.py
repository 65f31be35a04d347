# SPDX-License-Identifier: BSD-3-Clause
"""The fork server: a clean interpreter with one thread that forks itself into workers, and reaps them.

It imports nothing of the user's. A worker's end is reported when the worker is reaped and nothing that it
left behind is alive: the fork server is a subreaper, so what a dead worker leaves becomes its child, and is
killed.
"""

from __future__ import annotations

import contextlib
import gc
import inspect  # noqa: F401 - so that children have what they may need: as the next ones
import json  # noqa: F401
import linecache  # noqa: F401
import logging  # noqa: F401
import os
import select
import signal
import socket
import struct
import sys
import time
import traceback
from collections import deque
from typing import NoReturn

from swiftlet import _wire
from swiftlet._version import __version__
from swiftlet._worker import _ending, _process
from swiftlet._worker._child import become_worker
from swiftlet._worker._rehearsal import rehearse
from swiftlet._worker._unborn import UnbornWorker

WRONG_VERSION = 86

_SURVIVAL_LIMIT = 10.0
_END_LIMIT = 2.0
_PID = struct.Struct("<I")
_EXIT = struct.Struct("<IQ")


def serve(connection: int) -> NoReturn:
    """Serves the engine until its connection ends, then exits; in a forked worker: works."""
    _prepare()
    ForkServer(socket.socket(fileno=connection)).serve()


def _prepare() -> None:
    _process.become_subreaper()
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    for number in (
        signal.SIGTERM,
        signal.SIGHUP,
        signal.SIGQUIT,
        signal.SIGUSR1,
        signal.SIGUSR2,
        signal.SIGALRM,
    ):
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(encoding="utf-8", line_buffering=True)  # type: ignore[union-attr]
    _ending.take_over_logging()
    rehearse()
    gc.collect()
    gc.disable()  # a worker turns it on again; here it would only unshare memory
    gc.freeze()


class ForkServer:
    """Forks, signals and reaps as the engine says, and tells it what became of each worker."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._reader = _wire.FrameReader(connection)
        self._workers: dict[int, int] = {}  # pid: worker number
        self._dead: deque[tuple[int, int, int]] = (
            deque()
        )  # (worker, wait status, KiB), reaped but not yet reported
        self._leftover_deadline = 0.0
        self._abandoned: set[int] = set()
        self._unborn = UnbornWorker()
        self._wakeup, self._wakeup_end = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        signal.signal(signal.SIGCHLD, _ignore)
        signal.set_wakeup_fd(self._wakeup_end, warn_on_full_buffer=False)

    def serve(self) -> NoReturn:
        """The loop; ends the process."""
        poll = select.poll()
        poll.register(self._connection, select.POLLIN)
        poll.register(self._wakeup, select.POLLIN)
        try:
            self._send(_wire.HELLO, _wire.PROTOCOL_VERSION, _hello())
            while True:
                for descriptor, _ in poll.poll(self._patience()):
                    if descriptor == self._wakeup:
                        self._clear_wakeup()
                    elif not self._reader.receive(block=False):
                        self._end()
                for kind, _, ident, body in self._reader.frames():
                    self._handle(kind, ident, body)
                    self._reap()
                self._reap()
        except OSError as error:
            sys.stderr.write(f"swiftlet fork server: ends: {error}\n")
            self._end()

    def _handle(self, kind: int, ident: int, body: _wire.Buffer) -> None:
        if kind == _wire.SPAWN:
            self._fork(ident, body)
        elif kind == _wire.BLOB:
            self._unborn.prepare(ident, bytes(body))
        elif kind == _wire.SIGNAL:
            self._signal(ident, _PID.unpack_from(body)[0])
        elif kind == _wire.HELLO:
            if ident != _wire.PROTOCOL_VERSION:
                os._exit(WRONG_VERSION)
        elif kind == _wire.GOODBYE:
            self._end()
        else:
            raise _wire.ProtocolError(f"a fork server knows no frame of type {kind}")

    def _fork(self, worker: int, body: _wire.Buffer) -> None:
        received = self._reader.descriptors
        if len(received) < 3:
            raise _wire.ProtocolError("SPAWN came without its three descriptors")
        connection, out, err = received.popleft(), received.popleft(), received.popleft()
        attributes = _wire.unpack_attributes(body)[0]
        variables, cores = attributes.get("variables", []), attributes.get("cores", "")
        origin = attributes.get("origin", 0)
        assert isinstance(variables, list)
        assert isinstance(cores, str)
        assert isinstance(origin, int)
        parent = os.getpid()
        unneeded = (self._wakeup, self._wakeup_end, *received)
        try:
            pid = os.fork()
        except OSError as error:
            text = f"fork failed: {error.strerror}"
            self._send(_wire.SPAWN_FAILED, worker, text.encode())
            pid = None
        if pid == 0:
            try:
                become_worker(self._unborn, origin, parent, connection, out, err, unneeded, variables, cores)
            except BaseException:
                traceback.print_exc()
            finally:
                os._exit(1)  # it must not come back: above are the handlers of the fork server
        for descriptor in (connection, out, err):
            os.close(descriptor)
        if pid is not None:
            self._workers[pid] = worker
            self._send(_wire.FORKED, worker, _PID.pack(pid))

    def _signal(self, worker: int, number: int) -> None:
        for pid, known in self._workers.items():
            if known == worker:
                _kill_group(pid, number)

    def _reap(self) -> None:
        """Reaps whatever has died, kills what it left behind, and reports those of whom nothing is alive."""
        while True:
            try:
                pid, status, usage = os.wait4(-1, os.WNOHANG)
            except ChildProcessError:
                break
            if pid == 0:
                break
            self._abandoned.discard(pid)
            worker = self._workers.pop(pid, None)
            if worker is not None:
                self._dead.append((worker, status, usage.ru_maxrss))
        if not self._dead or self._kill_leftovers():
            return
        self._leftover_deadline = 0.0
        while self._dead:
            worker, status, peak = self._dead.popleft()
            self._send(_wire.EXITED, worker, _EXIT.pack(status, peak))

    def _kill_leftovers(self) -> bool:
        """Kills the children that are no workers; whether the end of any of them has to be waited for."""
        leftovers = _process.children() - self._workers.keys() - self._abandoned
        if not leftovers:
            return False
        for pid in leftovers:
            with contextlib.suppress(OSError):
                os.kill(pid, signal.SIGKILL)
        now = time.monotonic()
        if self._leftover_deadline == 0.0:
            self._leftover_deadline = now + _SURVIVAL_LIMIT
        if now < self._leftover_deadline:
            return True
        names = ", ".join(map(str, sorted(leftovers)))
        sys.stderr.write(f"swiftlet fork server: processes that survive SIGKILL are left alone: {names}\n")
        self._abandoned |= leftovers
        return False

    def _patience(self) -> float | None:
        """Milliseconds until something has to be done though nothing arrives."""
        if self._leftover_deadline == 0.0:
            return None
        return max(0.0, self._leftover_deadline - time.monotonic()) * 1000 + 1

    def _end(self) -> NoReturn:
        """The engine is gone: ends every descendant, then itself."""
        for pid in self._workers:
            _kill_group(pid, signal.SIGKILL)
        self._workers.clear()
        poll = select.poll()
        poll.register(self._wakeup, select.POLLIN)
        deadline = time.monotonic() + _END_LIMIT
        while time.monotonic() < deadline:
            try:
                while os.waitpid(-1, os.WNOHANG)[0]:
                    pass
            except ChildProcessError:
                break
            for pid in _process.children():
                with contextlib.suppress(OSError):
                    os.kill(pid, signal.SIGKILL)
            poll.poll(max(0.0, deadline - time.monotonic()) * 1000)
            self._clear_wakeup()
        os._exit(0)

    def _clear_wakeup(self) -> None:
        with contextlib.suppress(BlockingIOError):
            while len(os.read(self._wakeup, 4096)) == 4096:
                pass

    def _send(self, kind: int, ident: int, body: bytes) -> None:
        self._connection.sendall(_wire.frame(kind, ident, body))


def _hello() -> bytes:
    return _wire.pack_attributes({"role": "forkserver", "version": __version__, "pid": os.getpid()})


def _kill_group(pid: int, number: int) -> None:
    """Signals a worker that has not been reaped, so that its number is still its own."""
    try:
        os.killpg(pid, number)
    except ProcessLookupError:  # it does not lead its group yet
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)


def _ignore(number: int, frame: object) -> None:
    """SIGCHLD needs a handler of Python's, else nothing is written to the wake-up descriptor."""
