# SPDX-License-Identifier: BSD-3-Clause
"""A connection that carries dicts, each a pickle in one frame."""

from __future__ import annotations

import contextlib
import logging
import select
import socket
import sys
from collections import deque
from typing import Any

import cloudpickle

from swiftlet import _wire
from swiftlet._interface import _meeting

MESSAGE = 120
"""Type of the frame that carries one dict."""

_LOGGER = logging.getLogger("executorlib")


class Channel:
    """One end of a connection. Not for several threads at once."""

    def __init__(self, peer: socket.socket) -> None:
        """Greets the other end. ``ConnectionError`` if it speaks another protocol or goes away."""
        self._socket = peer
        self._reader = _wire.FrameReader(peer)
        self._messages: deque[bytes] = deque()
        self._ended = False
        self._greeted = False
        self._put(
            _wire.frame(_wire.HELLO, _wire.PROTOCOL_VERSION, _wire.pack_attributes({"role": "interface"}))
        )

    def fileno(self) -> int:
        """For ``select``."""
        return self._socket.fileno()

    def send(self, message: bytes) -> None:
        """Sends one message. ``ConnectionError`` if the other end is gone."""
        self._put(_wire.frame(MESSAGE, 0, message))

    def recv(self, timeout: float | None = None) -> bytes:
        """The next message. ``EOFError`` if the other end is gone, ``TimeoutError`` after ``timeout``
        seconds.
        """
        while not self._messages:
            if self._ended:
                raise EOFError("the process at the other end of the connection is gone")
            if timeout is not None and not select.select([self._socket], [], [], timeout)[0]:
                raise TimeoutError(f"no message came within {timeout} s")
            self._ended = not self._reader.receive()
            self._take()
        return self._messages.popleft()

    def close(self) -> None:
        """The other end sees the end of the connection. May be called again."""
        self._socket.close()

    def _put(self, frame: bytes) -> None:
        try:
            self._socket.sendall(frame)
        except (BrokenPipeError, ConnectionResetError) as error:
            raise ConnectionError("the process at the other end of the connection is gone") from error

    def _take(self) -> None:
        for kind, _, ident, body in self._reader.frames():
            if kind == _wire.HELLO:
                if ident != _wire.PROTOCOL_VERSION:
                    raise ConnectionError(f"the other end speaks another protocol (version {ident})")
                self._greeted = True
            elif kind == MESSAGE and self._greeted:
                self._messages.append(bytes(body))
            else:
                raise ConnectionError(f"the other end sent what is no message (frame {kind})")


class Context:
    """Stands for what holds a program's sockets together in other libraries; here it holds nothing."""

    def term(self) -> None:
        """Nothing waits for anybody here."""


def interface_connect(host: str, port: str | int) -> tuple[Context, Channel]:
    """Connects a worker to the program that started it, by what its command line says.

    ``host`` has to be this machine. ``ConnectionError`` if nobody listens or the other end is not to be
    trusted.
    """
    if host not in ("localhost", "127.0.0.1", "::1", socket.gethostname()) and host != socket.getfqdn():
        raise ConnectionError(f"{host!r} is another machine than this one, {socket.gethostname()!r}")
    return Context(), Channel(_meeting.connect(int(port)))


def interface_send(socket: Channel | None, result_dict: dict[str, Any]) -> None:
    """Sends a dict; without a connection (None) nothing."""
    if socket is not None:
        socket.send(cloudpickle.dumps(result_dict))


def interface_receive(socket: Channel | None) -> dict[str, Any]:
    """Waits for the next dict; ``{}`` without a connection (None).

    ``EOFError`` if the program at the other end is gone: a worker is to end then.
    """
    return unpickled(socket.recv()) if socket is not None else {}


def interface_shutdown(socket: Channel | None, context: Context | None) -> None:
    """Closes a connection; None is allowed for both."""
    if socket is not None:
        with contextlib.suppress(OSError):
            socket.close()
    if context is not None:
        context.term()


def unpickled(message: bytes) -> dict[str, Any]:
    """A message as a dict."""
    value: dict[str, Any] = cloudpickle.loads(message)
    return value


def log_size(verb: str, message: bytes) -> None:
    """As executorlib's ``log_obj_size``."""
    _LOGGER.warning("%s dictionary of size: %d", verb, sys.getsizeof(message))
