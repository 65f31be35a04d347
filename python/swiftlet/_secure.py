# SPDX-License-Identifier: BSD-3-Clause
"""Authenticated connections (docs/reference/wire-protocol.md, "Authenticated connections").

``connect(ticket)`` proves to whoever listens that this process knows the ticket's secret, has it proved the
same, and gives a ``SecureSocket``: a stream like a socket's, in which every byte is under a code that only
the two ends can make. ``admit`` is the listening end, for ranks of a group that meet each other.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import socket
import struct
from collections.abc import Sequence
from typing import Any, NamedTuple

from swiftlet import _wire

_MAGIC = b"swiftlt\x01"
_ID_SIZE = 16
_NONCE_SIZE = 32
_CODE_SIZE = 32
_LARGEST_RECORD = 1 << 18
_LENGTH = struct.Struct("<I")
_HEAD = struct.Struct("<QI")
_RECEIVE_SIZE = 1 << 18
_DO_NOT_BLOCK = int(socket.MSG_DONTWAIT)


class SecurityError(OSError):
    """The other end did not prove who it is, or bytes arrived that it did not send."""


class Ticket(NamedTuple):
    """What somebody needs to connect: where to, who to be, and the secret."""

    address: str
    ident: bytes
    secret: bytes

    @classmethod
    def parse(cls, line: str) -> Ticket:
        """Reads the line ``swiftlet-ticket ID SECRET ADDRESS``. ``ValueError`` for another line, which is not
        shown.
        """
        fields = line.rstrip("\n").split(" ", 3)
        if len(fields) == 4 and fields[0] == "swiftlet-ticket":
            try:
                ident, secret = bytes.fromhex(fields[1]), bytes.fromhex(fields[2])
            except ValueError:
                pass
            else:
                if len(ident) == _ID_SIZE and len(secret) == 32 and fields[3][:4] in ("tcp:", "unix"):
                    return cls(fields[3], ident, secret)
        raise ValueError("the line is no swiftlet ticket")


def new_ticket(address: str) -> Ticket:
    """A ticket for whoever is to connect to this address."""
    return Ticket(address, os.urandom(_ID_SIZE), os.urandom(32))


def connect(ticket: Ticket, timeout: float = 30.0) -> SecureSocket:
    """Connects, and proves both ends. ``OSError`` that names the address if that fails; each step may take
    ``timeout`` seconds.
    """
    sock = _open(ticket.address, timeout)
    try:
        sock.settimeout(timeout)
        sending, receiving = _prove(sock, ticket)
        sock.settimeout(None)
    except OSError as error:
        sock.close()
        raise type(error)(f"no connection to {ticket.address}: {error}") from error
    except BaseException:
        sock.close()
        raise
    return SecureSocket(sock, sending, receiving)


def _open(address: str, timeout: float) -> socket.socket:
    try:
        if address.startswith("unix:"):
            sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            try:
                sock.connect(address[5:])
            except OSError:
                sock.close()
                raise
            return sock
        _, port, host = address.split(":", 2)
        sock = socket.create_connection((host, int(port)), timeout)
    except OSError as error:
        raise type(error)(f"no connection to {address}: {error}") from error
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    _notice_silence(sock)
    return sock


def _notice_silence(sock: socket.socket) -> None:
    """A machine that is gone without a word ends the connection within a minute and a half."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, seconds in ("TCP_KEEPIDLE", 30), ("TCP_KEEPINTVL", 15), ("TCP_KEEPCNT", 4):
        if hasattr(socket, option):
            sock.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), seconds)


def admit(sock: socket.socket, ticket: Ticket, timeout: float = 5.0) -> SecureSocket:
    """Lets in who has connected, if it has this ticket; closes the socket and raises ``OSError`` if not."""
    try:
        sock.settimeout(timeout)
        greeting = _exactly(sock, len(_MAGIC) + _ID_SIZE + _NONCE_SIZE)
        if greeting[: len(_MAGIC) + _ID_SIZE] != _MAGIC + ticket.ident:
            raise SecurityError("nobody of that name is expected")
        nonce = os.urandom(_NONCE_SIZE)
        code = _Codes(ticket, greeting[-_NONCE_SIZE:], nonce)
        sock.sendall(_MAGIC + nonce + code(b"listener proves"))
        if not hmac.compare_digest(_exactly(sock, _CODE_SIZE), code(b"connector proves")):
            raise SecurityError("who connected does not know the secret")
        sock.settimeout(None)
    except BaseException:
        sock.close()
        raise
    return SecureSocket(sock, code(b"listener sends"), code(b"connector sends"))


class _Codes:
    """The codes of one connection."""

    def __init__(self, ticket: Ticket, connector: bytes, listener: bytes) -> None:
        self._secret = ticket.secret
        self._transcript = ticket.ident + connector + listener

    def __call__(self, label: bytes) -> bytes:
        return hmac.new(self._secret, label.ljust(32, b"\0") + self._transcript, hashlib.sha256).digest()


def _prove(sock: socket.socket, ticket: Ticket) -> tuple[bytes, bytes]:
    """The connector's handshake; the keys for sending and receiving."""
    nonce = os.urandom(_NONCE_SIZE)
    sock.sendall(_MAGIC + ticket.ident + nonce)
    answer = _exactly(sock, len(_MAGIC) + _NONCE_SIZE + _CODE_SIZE)
    if answer[: len(_MAGIC)] != _MAGIC:
        raise SecurityError("who listens there is no swiftlet of this version")
    theirs = answer[len(_MAGIC) : len(_MAGIC) + _NONCE_SIZE]
    code = _Codes(ticket, nonce, theirs)
    if not hmac.compare_digest(answer[-_CODE_SIZE:], code(b"listener proves")):
        raise SecurityError("who listens there does not know the secret")
    sock.sendall(code(b"connector proves"))
    return code(b"connector sends"), code(b"listener sends")


def _exactly(sock: socket.socket, count: int) -> bytes:
    data = b""
    while len(data) < count:
        chunk = sock.recv(count - len(data))
        if not chunk:
            raise SecurityError("it closed the connection; the ticket may be used up")
        data += chunk
    return data


class SecureSocket:
    """The part of a socket's interface that frames need, over records with codes. For one thread."""

    def __init__(self, sock: socket.socket, sending: bytes, receiving: bytes) -> None:
        self._socket = sock
        self._sending = hmac.new(sending, b"", hashlib.sha256)
        self._receiving = hmac.new(receiving, b"", hashlib.sha256)
        self._sent = 0
        self._received = 0
        self._waiting = bytearray()
        self._rest = memoryview(b"")

    @property
    def address(self) -> str:
        """This end's numeric address; empty for a socket that has none."""
        name = self._socket.getsockname()
        return str(name[0]) if isinstance(name, tuple) else ""

    def recv_into(self, buffer: memoryview) -> int:
        """As a socket's. Not together with ``recvmsg``."""
        if not self._rest:
            self._rest = memoryview(self.recvmsg(_RECEIVE_SIZE)[0])
        count = min(len(buffer), len(self._rest))
        buffer[:count] = self._rest[:count]
        self._rest = self._rest[count:]
        return count

    def recvmsg(
        self, bufsize: int, ancbufsize: int = 0, flags: int = 0
    ) -> tuple[bytes, list[tuple[int, int, bytes]], int, None]:
        """What has arrived, at least one byte, as ``socket.recvmsg`` gives it; ``b""`` at the end.

        ``BlockingIOError`` with MSG_DONTWAIT if no record is complete; ``SecurityError`` for a false one.
        """
        content = self._take_records()
        flags &= _DO_NOT_BLOCK
        while not content:
            data = self._socket.recv(_RECEIVE_SIZE, flags)
            if not data:
                if self._waiting:
                    raise SecurityError("the connection ended within a record")
                return b"", [], 0, None
            self._waiting += data
            content = self._take_records()
        return content, [], 0, None

    def _take_records(self) -> bytes:
        contents: list[bytes] = []
        start = 0
        waiting = self._waiting
        while len(waiting) - start >= _LENGTH.size:
            (length,) = _LENGTH.unpack_from(waiting, start)
            if not 0 < length <= _LARGEST_RECORD:
                raise SecurityError(f"a record claims {length} bytes")
            begin = start + _LENGTH.size
            end = begin + length
            if len(waiting) < end + _CODE_SIZE:
                break
            content = bytes(waiting[begin:end])
            mac = self._receiving.copy()
            mac.update(_HEAD.pack(self._received, length))
            mac.update(content)
            if not hmac.compare_digest(mac.digest(), bytes(waiting[end : end + _CODE_SIZE])):
                raise SecurityError(f"record {self._received} is not authentic")
            self._received += 1
            contents.append(content)
            start = end + _CODE_SIZE
        if start:
            del waiting[:start]
        return b"".join(contents)

    def sendall(self, data: _wire.Buffer) -> None:
        """Sends all of it as records."""
        view = memoryview(data).cast("B")
        for start in range(0, view.nbytes, _LARGEST_RECORD):
            content = view[start : start + _LARGEST_RECORD]
            mac = self._sending.copy()
            mac.update(_HEAD.pack(self._sent, content.nbytes))
            mac.update(content)
            self._sent += 1
            self._socket.sendall(b"".join((_LENGTH.pack(content.nbytes), content, mac.digest())))

    def sendmsg(self, buffers: Sequence[_wire.Buffer], ancdata: Sequence[Any] = ()) -> int:
        """Descriptors cannot leave this host: ``OSError``."""
        raise OSError("an authenticated connection carries no descriptors")

    def settimeout(self, timeout: float | None) -> None:
        """As a socket's."""
        self._socket.settimeout(timeout)

    def fileno(self) -> int:
        """As a socket's; that it is readable does not mean that a record is complete."""
        return self._socket.fileno()

    def close(self) -> None:
        """As a socket's."""
        self._socket.close()
