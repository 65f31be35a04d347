# SPDX-License-Identifier: BSD-3-Clause
"""A stand-in for the engine: starts the real fork server and speaks the worker protocol with its workers."""

from __future__ import annotations

import os
import pickle
import socket
import struct
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import swiftlet
from swiftlet import _wire
from swiftlet._payload import dump_callable, dumps, load_error, loads
from swiftlet._segments import SegmentConsumer, SegmentProducer
from swiftlet._wire import Part

TIMEOUT = 20.0
FRESH = 1

_FORKSERVER = str(Path(swiftlet.__path__[0]) / "_worker" / "__main__.py")


class Frame(NamedTuple):
    kind: int
    flags: int
    ident: int
    body: bytes


class Peer:
    """One connection, with frames taken one by one."""

    def __init__(self, sock: socket.socket) -> None:
        sock.settimeout(TIMEOUT)
        self.sock = sock
        self.reader = _wire.FrameReader(sock)
        self.seen: list[Frame] = []

    def send(self, kind: int, ident: int, body: bytes = b"", flags: int = 0) -> None:
        self.sock.sendall(_wire.frame(kind, ident, body, flags))

    def next(self) -> Frame | None:
        """The next frame; None at end of file."""
        while not self.seen:
            if not self.reader.receive():
                return None
            for kind, flags, ident, body in self.reader.frames():
                self.seen.append(Frame(kind, flags, ident, bytes(body)))
        return self.seen.pop(0)

    def expect(self, kind: int, *others: int) -> Frame:
        frame = self.next()
        assert frame is not None, f"end of file instead of a frame of type {kind}"
        assert frame.kind in (kind, *others), frame
        return frame


class Worker(Peer):
    """The engine's end of one worker."""

    def __init__(self, number: int, sock: socket.socket, out: int, err: int) -> None:
        super().__init__(sock)
        self.number = number
        self.out = out
        self.err = err
        self.pid = 0
        self.consumer = SegmentConsumer()
        self.producer = SegmentProducer(9, self._announce, self.sock.sendall)
        self.blobs = 0
        self.freed: list[tuple[int, int]] = []
        self.others: list[Frame] = []
        self.has_greeted = False

    def next(self) -> Frame | None:
        """The next frame after HELLO, which comes with the first thing a worker says."""
        frame = super().next()
        if frame is not None and not self.has_greeted:
            assert (frame.kind, frame.ident) == (_wire.HELLO, _wire.PROTOCOL_VERSION), frame
            assert _wire.unpack_attributes(frame.body)[0]["pid"] == self.pid
            self.has_greeted = True
            return super().next()
        return frame

    def greet(self) -> None:
        self.send(_wire.HELLO, 1, _wire.pack_attributes({"role": "engine", "origin": self.number + 100}))

    def _announce(self, frame: bytes, descriptor: int) -> None:
        _wire.send_with_descriptors(self.sock, frame, [descriptor])

    def blob(self, data: bytes) -> int:
        self.blobs += 1
        self.send(_wire.BLOB, self.blobs, data)
        return self.blobs

    def context(self, **changes: Any) -> int:
        return self.blob(context(**changes))

    def function(self, fn: Callable[..., Any]) -> int:
        return self.blob(dump_callable(fn))

    def call(
        self,
        task: int,
        blobs: Sequence[int],
        payload: object = ((), {}),
        inputs: Sequence[list[Part]] = (),
        flags: int = 0,
        reference: Any = None,
    ) -> None:
        parts = dumps(payload, self.producer, reference=reference)
        body = struct.pack("<IHH", 1, len(blobs), len(inputs)) + struct.pack(f"<{len(blobs)}Q", *blobs)
        body += _wire.pack_payload(parts) + b"".join(_wire.pack_payload(given) for given in inputs)
        self.send(_wire.CALL, task, body + _wire.pack_attributes({"cores": 1}), flags)

    def run(self, fn: Callable[..., Any], *args: Any, flags: int = 0, **kwargs: Any) -> Any:
        """One call from beginning to end, in its own context."""
        self.call(77, [self.context(), self.function(fn)], (args, kwargs), flags=flags)
        return self.outcome(77)

    def outcome(self, task: int) -> Any:
        """The value of a task, or its exception, raised."""
        while True:
            frame = self.expect(_wire.RESULT, _wire.SEGMENT, _wire.FREE, _wire.SEAL)
            if frame.kind == _wire.SEGMENT:
                size = struct.unpack("<Q", frame.body)[0]
                self.consumer.add(frame.ident, size, self.reader.descriptors.popleft())
            elif frame.kind == _wire.FREE:
                self.freed += struct.iter_unpack("<QI", frame.body)
            elif frame.kind == _wire.SEAL:
                self.others.append(frame)
            else:
                break
        assert frame.ident == task
        parts, _ = _wire.unpack_payload(frame.body, 1)
        if frame.body[0] == _wire.KIND_ERROR:
            raise load_error(parts, self.consumer)
        return loads(parts, self.consumer)

    def output(self, descriptor: int) -> str:
        """All that the worker printed, once it has ended."""
        data = b""
        while chunk := os.read(descriptor, 65536):
            data += chunk
        return data.decode()

    def close(self) -> None:
        self.sock.close()
        os.close(self.out)
        os.close(self.err)
        self.consumer.close()
        self.producer.close()


class Engine(Peer):
    """The engine's end of a fork server."""

    def __init__(self, *flags: str) -> None:
        ours, theirs = socket.socketpair()
        argv = [sys.executable, *flags, _FORKSERVER]
        actions = [(os.POSIX_SPAWN_DUP2, theirs.fileno(), 3)]
        self.pid = os.posix_spawn(sys.executable, argv, os.environ, file_actions=actions)
        theirs.close()
        super().__init__(ours)
        self.workers: list[Worker] = []
        hello = self.expect(_wire.HELLO)
        assert _wire.unpack_attributes(hello.body)[0]["role"] == "forkserver"
        self.send(_wire.HELLO, 1, _wire.pack_attributes({"role": "engine", "origin": 1}))

    def spawn(self) -> Worker:
        number = len(self.workers) + 1
        ours, theirs = socket.socketpair()
        out, out_end = os.pipe()
        err, err_end = os.pipe()
        worker = Worker(number, ours, out, err)
        self.workers.append(worker)
        frame = _wire.frame(_wire.SPAWN, number, _wire.pack_attributes({}))
        _wire.send_with_descriptors(self.sock, frame, [theirs.fileno(), out_end, err_end])
        theirs.close()
        os.close(out_end)
        os.close(err_end)
        worker.greet()
        forked = self.expect(_wire.FORKED)
        assert forked.ident == number
        worker.pid = struct.unpack("<I", forked.body)[0]
        return worker

    def prepare(self, ident: int, context: bytes) -> None:
        """Has the context of calls to come taken on; the workers started from now on have this blob."""
        self.send(_wire.BLOB, ident, context)

    def signal(self, worker: Worker, number: int) -> None:
        self.send(_wire.SIGNAL, worker.number, struct.pack("<I", number))

    def exited(self, worker: Worker) -> int:
        """Waits for the end of a worker; its wait status."""
        frame = self.expect(_wire.EXITED)
        assert frame.ident == worker.number
        status, peak = struct.unpack("<IQ", frame.body)
        assert peak > 1000
        return int(status)

    def close(self) -> int:
        """Ends the connection; the exit status of the fork server."""
        self.sock.close()
        for worker in self.workers:
            worker.close()
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


def context(**changes: Any) -> bytes:
    known: dict[str, Any] = {
        "path": list(sys.path),
        "env": None,
        "cwd": None,
        "error_log_file": None,
        "threads": 1,
        "by_value": [],
    }
    return pickle.dumps({**known, **changes}, 5)
