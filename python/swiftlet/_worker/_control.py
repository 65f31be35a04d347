# SPDX-License-Identifier: BSD-3-Clause
"""How the ranks of a group talk to each other beside MPI: a stream from each rank to rank 0.

Whoever waits here sleeps; whoever waits in MPI turns. And a rank that has died is noticed at once.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import socket
import struct
from typing import Any, Protocol

from swiftlet import _secure

_LENGTH = struct.Struct("<Q")


class Control:
    """One end of such a stream. Messages are whole: what was sent arrives as sent, or the stream has
    ended.
    """

    def __init__(self, sock: socket.socket | _secure.SecureSocket) -> None:
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


class Meeting(Protocol):
    """Where the others find rank 0."""

    invitation: Any
    """What they need to find it; no secret is in it that may not go over MPI."""

    def admit(self, count: int) -> dict[int, Control]:
        """Waits for so many ranks; their streams by rank."""

    def close(self) -> None:
        """Nobody else will come."""


class MeetingAcrossNodes:
    """An address of one interface, and a ticket that is told by MPI."""

    def __init__(self, address: str) -> None:
        self._server = socket.create_server((address, 0), backlog=128)
        self.invitation = _secure.new_ticket(f"tcp:{self._server.getsockname()[1]}:{address}")

    def admit(self, count: int) -> dict[int, Control]:
        """Waits for so many ranks; who is none is turned away."""
        ranks: dict[int, Control] = {}
        while len(ranks) < count:
            sock, _ = self._server.accept()
            with contextlib.suppress(OSError, EOFError):
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                control = Control(_secure.admit(sock, self.invitation))
                ranks[control.receive()] = control
        return ranks

    def close(self) -> None:
        """Nobody else will come."""
        self._server.close()


class MeetingOnNode:
    """A socket in a directory that nobody else may enter."""

    def __init__(self) -> None:
        import tempfile

        self._directory = tempfile.mkdtemp(prefix="swiftlet-ranks-")
        self.invitation = os.path.join(self._directory, "rank0")
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.bind(self.invitation)
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
            os.unlink(self.invitation)
            os.rmdir(self._directory)


def join(invitation: str | _secure.Ticket, rank: int) -> Control:
    """The stream of rank ``rank`` to rank 0."""
    if isinstance(invitation, str):
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        sock.connect(invitation)
        control = Control(sock)
    else:
        control = Control(_secure.connect(invitation))
    control.send(rank)
    return control
