# SPDX-License-Identifier: BSD-3-Clause
"""How the ranks of a group talk to each other beside MPI: a stream from each rank to rank 0.

Whoever waits here sleeps; whoever waits in MPI turns. And a rank that has died is noticed at once.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import shutil
import socket
import struct
import tempfile
from typing import Any

_LENGTH = struct.Struct("<Q")


class Control:
    """One end of such a stream. Messages are whole: what was sent arrives as sent, or the stream has
    ended.
    """

    def __init__(self, sock: socket.socket) -> None:
        self.socket = sock

    def send(self, message: Any) -> None:
        """``OSError`` if the other end is gone."""
        data = pickle.dumps(message, 5)
        self.socket.sendall(_LENGTH.pack(len(data)))
        self.socket.sendall(data)

    def receive(self) -> Any:
        """The next message; waits for it. ``EOFError`` if the other end is gone."""
        (length,) = _LENGTH.unpack(self._exactly(_LENGTH.size))
        return pickle.loads(self._exactly(length))

    def _exactly(self, count: int) -> bytes:
        data = bytearray(count)
        view = memoryview(data)
        done = 0
        while done < count:
            try:
                received = self.socket.recv_into(view[done:])
            except OSError:
                received = 0
            if received == 0:
                raise EOFError
            done += received
        return bytes(data)


class Meeting:
    """Where the others find rank 0: a socket in a directory that nobody else may enter."""

    def __init__(self) -> None:
        self._directory = tempfile.mkdtemp(prefix="swiftlet-ranks-")
        self.path = os.path.join(self._directory, "rank0")
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.bind(self.path)
        self._socket.listen(128)

    def admit(self, count: int) -> dict[int, Control]:
        """Waits for so many ranks; their streams by rank."""
        ranks: dict[int, Control] = {}
        while len(ranks) < count:
            sock, _ = self._socket.accept()
            control = Control(sock)
            ranks[control.receive()] = control
        return ranks

    def close(self) -> None:
        """Nobody else will come."""
        self._socket.close()
        with contextlib.suppress(OSError):
            shutil.rmtree(self._directory)


def join(path: str, rank: int) -> Control:
    """The stream of rank ``rank`` to rank 0."""
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    sock.connect(path)
    control = Control(sock)
    control.send(rank)
    return control
