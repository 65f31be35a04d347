# SPDX-License-Identifier: BSD-3-Clause
"""The connecting end of authenticated connections, against a listener written down here once more."""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import os
import socket
import struct
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from swiftlet import _secure, _wire
from swiftlet._secure import SecureSocket, SecurityError, Ticket

SECRET = bytes(range(32))
IDENT = bytes(range(0xA0, 0xB0))
MAGIC = b"swiftlt\x01"


def code(label: bytes, ident: bytes, connector: bytes, listener: bytes, secret: bytes = SECRET) -> bytes:
    message = label.ljust(32, b"\0") + ident + connector + listener
    return hmac.new(secret, message, hashlib.sha256).digest()


def record(key: bytes, number: int, content: bytes) -> bytes:
    head = struct.pack("<QI", number, len(content))
    mac = hmac.new(key, head + content, hashlib.sha256).digest()
    return struct.pack("<I", len(content)) + content + mac


def exactly(sock: socket.socket, count: int) -> bytes:
    """So many bytes, fewer at the end."""
    data = b""
    while len(data) < count and (chunk := sock.recv(count - len(data))):
        data += chunk
    return data


class Listener(threading.Thread):
    """Accepts one connection and does the listener's half of the handshake."""

    def __init__(self, path: Path, secret: bytes = SECRET, answer: bytes | None = None) -> None:
        super().__init__(daemon=True)
        self.server = socket.socket(socket.AF_UNIX)
        self.server.bind(str(path))
        self.server.listen()
        self.secret = secret
        self.answer = answer
        self.ticket = Ticket(f"unix:{path}", IDENT, SECRET)
        self.proved = False
        self.sends = self.receives = b""
        self.start()

    def close(self) -> None:
        self.join(20)
        self.sock.close()
        self.server.close()

    def run(self) -> None:
        sock, _ = self.server.accept()
        sock.settimeout(20)
        self.sock = sock
        greeting = exactly(sock, 56)
        assert greeting[:8] == MAGIC
        ident, nonce, mine = greeting[8:24], greeting[24:], os.urandom(32)
        proof = code(b"listener proves", ident, nonce, mine, self.secret)
        sock.sendall(self.answer or MAGIC + mine + proof)
        theirs = exactly(sock, 32)
        self.proved = theirs == code(b"connector proves", ident, nonce, mine)
        self.sends = code(b"listener sends", ident, nonce, mine)
        self.receives = code(b"connector sends", ident, nonce, mine)


@pytest.fixture
def listener(tmp_path: Path) -> Iterator[Listener]:
    listener = Listener(tmp_path / "s")
    yield listener
    listener.close()


@pytest.fixture
def sock(listener: Listener) -> Iterator[SecureSocket]:
    """Connected to it."""
    sock = _secure.connect(listener.ticket)
    listener.join(20)
    assert listener.proved
    yield sock
    sock.close()


def test_codes_are_those_of_the_reference() -> None:
    """HandshakeTests.swift and RecordTests.swift have the same."""
    one, two = b"\x01" * 32, b"\x02" * 32
    expected = {
        b"listener proves": "89cc1b5ae88548275137fbfdd44ffc6fce033e169df2893b6cc4082a390ff82c",
        b"connector proves": "98ac7b1a4cfeb7268bb44343b981efcbdbfbb065c5ffdbc9dd0bdfc8479b431f",
        b"listener sends": "bff652bb8cd7a2a471fb6a871bac51a8d340db588b24c6fab3968cc9cba33ce6",
        b"connector sends": "c7d249e97e4161b1ae1a4454395197f7a2f3168b0836b237efd9d03aa62e5aae",
    }
    assert {label: code(label, IDENT, one, two).hex() for label in expected} == expected
    key = bytes.fromhex(expected[b"connector sends"])
    tail = "bfe912a153fa6b918639b7c6a80834521ef4c8569d7db0a763620b2eaf0ab735"
    assert record(key, 0, b"abc").hex() == "03000000" + "616263" + tail


def test_frames_arrive_and_leave(listener: Listener, sock: SecureSocket) -> None:
    frame = _wire.frame(_wire.BLOB, 7, b"x" * 100)
    # One frame over two records, two frames in one.
    listener.sock.sendall(
        record(listener.sends, 0, frame[:30]) + record(listener.sends, 1, frame[30:] + frame)
    )
    reader = _wire.FrameReader(sock)
    seen: list[tuple[int, int]] = []
    while len(seen) < 2:
        assert reader.receive()
        seen += [(ident, len(body)) for _, _, ident, body in reader.frames()]
    assert seen == [(7, 100), (7, 100)]

    large = os.urandom((1 << 18) + 5)
    sender = threading.Thread(target=sock.sendall, args=(large,))
    sender.start()
    first, second = large[: 1 << 18], large[1 << 18 :]
    expected = record(listener.receives, 0, first) + record(listener.receives, 1, second)
    assert exactly(listener.sock, len(expected)) == expected
    sender.join()


def test_nothing_complete_is_nothing(listener: Listener, sock: SecureSocket) -> None:
    with pytest.raises(BlockingIOError):
        sock.recvmsg(100, 0, socket.MSG_DONTWAIT)
    listener.sock.sendall(record(listener.sends, 0, b"abc")[:-1])
    with pytest.raises(BlockingIOError):
        sock.recvmsg(100, 0, socket.MSG_DONTWAIT)
    listener.sock.sendall(record(listener.sends, 0, b"abc")[-1:])
    assert sock.recvmsg(100)[0] == b"abc"
    listener.sock.close()
    assert sock.recvmsg(100)[0] == b""


def drain(sock: SecureSocket) -> None:
    while sock.recvmsg(100)[0]:
        pass


@pytest.mark.parametrize("harm", ["flip", "cut", "replay", "claim", "reflect"])
def test_false_records(listener: Listener, sock: SecureSocket, harm: str) -> None:
    good = record(listener.sends, 0, b"abc")
    harmful = {
        "flip": good[:5] + bytes((good[5] ^ 1,)) + good[6:],
        "cut": good[:-1],
        "replay": good + good,
        "claim": struct.pack("<I", 1 << 30),
        "reflect": record(listener.receives, 0, b"abc"),
    }[harm]
    listener.sock.sendall(harmful)
    listener.sock.shutdown(socket.SHUT_WR)
    with pytest.raises(SecurityError):
        drain(sock)


def test_a_listener_that_does_not_know_the_secret(tmp_path: Path) -> None:
    listener = Listener(tmp_path / "s", secret=b"\0" * 32)
    with pytest.raises(SecurityError, match="does not know the secret"):
        _secure.connect(listener.ticket)
    listener.close()
    assert not listener.proved


def test_something_else_listens(tmp_path: Path) -> None:
    listener = Listener(tmp_path / "s", answer=b"HTTP/1.1 400 Bad Request\r\n\r\n".ljust(72))
    with pytest.raises(SecurityError, match=r"no connection to unix:.* is no swiftlet"):
        _secure.connect(listener.ticket)
    listener.close()


def test_nobody_listens(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="no connection to unix:"):
        _secure.connect(Ticket(f"unix:{tmp_path}/nobody", IDENT, SECRET))
    server = socket.create_server(("127.0.0.1", 0))
    address = f"tcp:{server.getsockname()[1]}:127.0.0.1"
    server.close()
    with pytest.raises(OSError, match="no connection to tcp:"):
        _secure.connect(Ticket(address, IDENT, SECRET))


def test_who_listens_says_nothing() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        ticket = Ticket(f"tcp:{server.getsockname()[1]}:127.0.0.1", IDENT, SECRET)
        with pytest.raises(OSError, match="timed out"):
            _secure.connect(ticket, timeout=0.05)


def test_both_ends_in_python(tmp_path: Path) -> None:
    """As the ranks of a group meet."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        ticket = _secure.new_ticket(f"tcp:{server.getsockname()[1]}:127.0.0.1")
        connectors = []
        thread = threading.Thread(target=lambda: connectors.append(_secure.connect(ticket)))
        thread.start()
        here = _secure.admit(server.accept()[0], ticket)
        thread.join()
        there = connectors[0]
        assert here.address == "127.0.0.1"
        here.sendall(b"abcdef")
        there.sendall(b"xyz")
        taken = bytearray(4)
        assert there.recv_into(memoryview(taken)) == 4
        assert there.recv_into(memoryview(taken)) == 2
        assert bytes(taken) == b"efcd"
        assert here.recvmsg(10)[0] == b"xyz"
        there.close()
        assert here.recv_into(memoryview(taken)) == 0
        here.close()


@pytest.mark.parametrize("wrong", ["secret", "ident", "noise"])
def test_who_is_not_expected_is_turned_away(wrong: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        ticket = _secure.new_ticket(f"tcp:{server.getsockname()[1]}:127.0.0.1")
        other = (
            ticket._replace(**{wrong: os.urandom(32 if wrong == "secret" else 16)})
            if wrong != "noise"
            else None
        )

        def connect() -> None:
            with contextlib.suppress(OSError):
                if other is not None:
                    _secure.connect(other)
                with socket.create_connection(server.getsockname()) as sock:
                    sock.sendall(b"GET / HTTP/1.1\r\n".ljust(100))
                    sock.recv(1)

        thread = threading.Thread(target=connect)
        thread.start()
        with pytest.raises(SecurityError):
            _secure.admit(server.accept()[0], ticket)
        server.close()
        thread.join()


def test_tickets() -> None:
    line = f"swiftlet-ticket {IDENT.hex()} {SECRET.hex()} unix:/tmp/a b\n"
    assert Ticket.parse(line) == Ticket("unix:/tmp/a b", IDENT, SECRET)
    for bad in ("", line[1:], line.replace("a0", "g0"), line.replace("a0", ""), line.replace("unix", "http")):
        with pytest.raises(ValueError, match="no swiftlet ticket") as caught:
            Ticket.parse(bad)
        assert SECRET.hex() not in str(caught.value)
