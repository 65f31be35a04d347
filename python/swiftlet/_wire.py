# SPDX-License-Identifier: BSD-3-Clause
"""The wire protocol's frames as bytes (docs/reference/wire-protocol.md); pure except for ``FrameReader``.

Whatever does not parse raises ``ProtocolError``: the connection is then useless and has to be closed.
"""

from __future__ import annotations

import array
import socket
import struct
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, Protocol, Union

PROTOCOL_VERSION = 1

# Client
HELLO = 1
GOODBYE = 2
CONFIGURE = 3
REQUEST = 4
BLOB = 5
FORGET = 6
SUBMIT = 7
EXTERNAL = 8
RESOLVE = 9
CANCEL = 10
RELEASE = 11
RESIZE = 12
SHUTDOWN = 13
OUTCOME = 14
STARTED = 15
OUTPUT = 16
OUTPUT_ACK = 17
EXPLAIN = 18
EXPLANATION = 19
STATUS = 20
STATUS_IS = 21
SUBSCRIBE = 22
EVENT = 23
# Segments and memory
SEGMENT = 30
SEAL = 31
FREE = 32
REUSE = 33
RETIRE = 34
BUDGET = 35
# Worker
INIT = 40
READY = 41
INIT_FAILED = 42
CALL = 43
RESULT = 44
RECALL = 45
RECALLED = 46
END = 47
GROUPS = 48
WORKER = 49
# Calls with a place in a store
SUBMIT_ENTRY = 80
LEAVE = 81
LEFT = 82
WAITS = 83
DESCRIBE = 96
DESCRIBED = 97
RENDER = 98
RENDERED = 99

LEAVES = 1
"""Flag of RESULT: the worker ends by itself, and takes no further call."""
SHORT = 2
"""Flag of RESULT: by the worker's clock the call took less than 0.2 ms."""

# Jobs that the client submits
FLUX_SUBMIT = 100
FLUX_SUBMITTED = 101

# Guardian and fork server
SPAWN = 60
FORKED = 61
SPAWN_FAILED = 62
EXITED = 63
SIGNAL = 64
# Launchers
DRY_RUN = 70
DRY_RUN_IS = 71

# First byte of RESULT, RESOLVE and OUTCOME
KIND_VALUE = 0
KIND_ERROR = 1
KIND_LOST = 2
KIND_CANCELLED = 3
KIND_INPUT_FAILED = 4
KIND_TIME_LIMIT = 5
KIND_REFUSED = 6

HEADER = struct.Struct("<QQ")

_HEADER_SIZE = HEADER.size
_COUNT = struct.Struct("<H")
_U32 = struct.Struct("<I")
_I64 = struct.Struct("<q")
_F64 = struct.Struct("<d")
_ONE_INLINE = struct.Struct("<HBQ")
_INLINE = struct.Struct("<BQ")
_IN_SEGMENT = struct.Struct("<BQQQ")

_RECEIVE_SIZE = 64 * 1024
_LARGE_RECEIVE_SIZE = 1024 * 1024
_COPY_LIMIT = 64 * 1024
_BLOCK = int(socket.MSG_CMSG_CLOEXEC)  # plain integers: the enumeration's arithmetic takes longer than a call
_DO_NOT_BLOCK = _BLOCK | int(socket.MSG_DONTWAIT)
_TRUNCATED = int(socket.MSG_CTRUNC)
_ANCILLARY_SIZE = socket.CMSG_SPACE(16 * array.array("i").itemsize)
_SMALL_RECEIVE = ((_RECEIVE_SIZE,), (_ANCILLARY_SIZE,), (_DO_NOT_BLOCK,))
_LARGE_RECEIVE = ((_LARGE_RECEIVE_SIZE,), (_ANCILLARY_SIZE,), (_DO_NOT_BLOCK,))

Buffer = Union[bytes, bytearray, memoryview]
Message = tuple[bytes, "list[tuple[int, int, bytes]]", int, Any]  # what `recvmsg` returns


class SegmentPart(NamedTuple):
    """Where in a shared segment a part of a payload lies."""

    segment: int
    offset: int
    length: int


Part = Union[bytes, bytearray, memoryview, SegmentPart]
AttributeValue = Union[int, float, str, bytes, "list[str]"]


class Stream(Protocol):
    """What frames need of a connection: a socket, or ``_secure.SecureSocket``."""

    def recvmsg(
        self, bufsize: int, ancbufsize: int = ..., flags: int = ..., /
    ) -> tuple[bytes, list[tuple[int, int, bytes]], int, Any]:
        """See ``socket.recvmsg``."""

    def sendall(self, data: Buffer, /) -> None:
        """See ``socket.sendall``."""

    def sendmsg(self, buffers: Sequence[Buffer], ancdata: Sequence[Any] = ..., /) -> int:
        """See ``socket.sendmsg``."""

    def close(self) -> None:
        """See ``socket.close``."""


class ProtocolError(Exception):
    """The peer sent bytes that the protocol does not allow."""


def frame(kind: int, ident: int, body: Buffer = b"", flags: int = 0) -> bytes:
    """One whole frame."""
    return HEADER.pack(len(body) << 16 | flags << 8 | kind, ident) + body


def pack_attributes(attributes: Mapping[str, AttributeValue]) -> bytes:
    """Attributes in the order of the mapping; ``TypeError`` for a value that has no tag."""
    out = [_COUNT.pack(len(attributes))]
    for key, value in attributes.items():
        name = key.encode("ascii")
        out.append(bytes((len(name),)) + name)
        if isinstance(value, int):
            out.append(b"\x00" + _I64.pack(value))
        elif isinstance(value, str):
            out.append(b"\x01" + _sized(value.encode("utf-8", "surrogateescape")))
        elif isinstance(value, (bytes, bytearray, memoryview)):
            out.append(b"\x02" + _sized(bytes(value)))
        elif isinstance(value, (list, tuple)):
            texts = [_sized(text.encode("utf-8", "surrogateescape")) for text in value]
            out.append(b"\x03" + _U32.pack(len(texts)) + b"".join(texts))
        elif isinstance(value, float):
            out.append(b"\x04" + _F64.pack(value))
        else:
            raise TypeError(f"attribute {key!r} cannot hold a {type(value).__name__}")
    return b"".join(out)


def _sized(data: bytes) -> bytes:
    return _U32.pack(len(data)) + data


def unpack_attributes(buffer: Buffer, offset: int = 0) -> tuple[dict[str, AttributeValue], int]:
    """The attributes at ``offset`` and the offset behind them."""
    try:
        attributes: dict[str, AttributeValue] = {}
        (count,) = _COUNT.unpack_from(buffer, offset)
        offset += 2
        for _ in range(count):
            end = offset + 1 + buffer[offset]
            key = str(buffer[offset + 1 : end], "ascii")
            tag = buffer[end]
            attributes[key], offset = _unpack_value(tag, buffer, end + 1)
    except (struct.error, IndexError, UnicodeDecodeError) as error:
        raise ProtocolError(f"malformed attributes: {error}") from error
    return attributes, offset


def _unpack_value(tag: int, buffer: Buffer, offset: int) -> tuple[AttributeValue, int]:
    if tag == 0:
        return int(_I64.unpack_from(buffer, offset)[0]), offset + 8
    if tag == 1:
        data, offset = _unpack_sized(buffer, offset)
        return data.decode("utf-8", "surrogateescape"), offset
    if tag == 2:
        return _unpack_sized(buffer, offset)
    if tag == 3:
        (count,) = _U32.unpack_from(buffer, offset)
        offset += 4
        texts: list[str] = []
        for _ in range(count):
            data, offset = _unpack_sized(buffer, offset)
            texts.append(data.decode("utf-8", "surrogateescape"))
        return texts, offset
    if tag == 4:
        return float(_F64.unpack_from(buffer, offset)[0]), offset + 8
    raise ProtocolError(f"attribute with unknown tag {tag}")


def _unpack_sized(buffer: Buffer, offset: int) -> tuple[bytes, int]:
    (length,) = _U32.unpack_from(buffer, offset)
    offset += 4
    data = bytes(buffer[offset : offset + length])
    if len(data) != length:
        raise ProtocolError("an attribute claims more bytes than its frame has")
    return data, offset + length


def pack_payload(parts: Sequence[Part]) -> bytes:
    """A payload; no parts: there is none."""
    if len(parts) == 1:
        part = parts[0]
        if type(part) is bytes:
            return _ONE_INLINE.pack(1, 0, len(part)) + part
    out: list[Buffer] = [_COUNT.pack(len(parts))]
    for part in parts:
        if isinstance(part, SegmentPart):
            out.append(_IN_SEGMENT.pack(1, part.segment, part.offset, part.length))
        else:
            length = part.nbytes if isinstance(part, memoryview) else len(part)
            out.append(_INLINE.pack(0, length))
            out.append(part)
    return b"".join(out)


def unpack_payload(buffer: Buffer, offset: int = 0) -> tuple[list[Part], int]:
    """The parts at ``offset``, as slices of ``buffer``, and the offset behind them."""
    try:
        if len(buffer) >= offset + 11:
            count, where, length = _ONE_INLINE.unpack_from(buffer, offset)
            if count == 1 and where == 0:
                start = offset + 11
                end = start + length
                if end > len(buffer):
                    raise ProtocolError("a payload claims more bytes than its frame has")
                return [buffer[start:end]], end
        (count,) = _COUNT.unpack_from(buffer, offset)
        offset += 2
        parts: list[Part] = []
        for _ in range(count):
            where = buffer[offset]
            if where == 0:
                start = offset + 9
                offset = start + _INLINE.unpack_from(buffer, offset)[1]
                if offset > len(buffer):
                    raise ProtocolError("a payload claims more bytes than its frame has")
                parts.append(buffer[start:offset])
            elif where == 1:
                _, segment, position, length = _IN_SEGMENT.unpack_from(buffer, offset)
                parts.append(SegmentPart(segment, position, length))
                offset += 25
            else:
                raise ProtocolError(f"a payload part lies nowhere known ({where})")
    except (struct.error, IndexError) as error:
        raise ProtocolError(f"malformed payload: {error}") from error
    return parts, offset


def pack_entry(directory: str, key: str, name: str) -> bytes:
    """The place of a call in a store and the name of its function, as SUBMIT_ENTRY begins."""
    texts = [text.encode("utf-8", "surrogateescape") for text in (directory, key, name[:200])]
    return b"".join(_COUNT.pack(len(text)) + text for text in texts)


class FrameReader:
    """Cuts what arrives on a stream socket into frames; for one thread.

    Memory grows with the bytes that arrived, never with the length that a frame claims.
    """

    def __init__(self, sock: Stream) -> None:
        self._socket = sock
        self._data = b""
        self._offset = 0
        self._need = _HEADER_SIZE
        self._chunks: list[bytes] = []
        self._have = 0
        self.descriptors: deque[int] = deque()
        #: The last `receive` took as much as it could, or came to descriptors: more may lie there.
        self.more = False

    def attach(self, sock: Stream) -> None:
        """Reads from this connection from now on."""
        self._socket = sock

    def receive(self, block: bool = True) -> bool:
        """Takes in what has arrived, waiting for it if ``block``. False at end of file."""
        size = _RECEIVE_SIZE if self._need < _RECEIVE_SIZE else _LARGE_RECEIVE_SIZE
        try:
            message = self._socket.recvmsg(size, _ANCILLARY_SIZE, _BLOCK if block else _DO_NOT_BLOCK)
        except BlockingIOError:
            self.more = False
            return True
        except (ConnectionResetError, BrokenPipeError):
            return False
        self.more = len(message[0]) == size or bool(message[1])
        return self.add(message)

    def receive_arguments(self) -> tuple[tuple[int], tuple[int], tuple[int]]:
        """For ``map``: what ``recvmsg`` is to be called with so that it does not wait."""
        return _SMALL_RECEIVE if self._need < _RECEIVE_SIZE else _LARGE_RECEIVE

    def add(self, message: Message) -> bool:
        """Takes in what ``recvmsg`` returned. False at end of file."""
        data, ancillary, received, _ = message
        if ancillary:
            self._take_descriptors(ancillary)
        if received & _TRUNCATED:
            raise ProtocolError("descriptors were lost: too many in one frame, or too many open files")
        if not data:
            return False
        self._chunks.append(data)
        self._have += len(data)
        return True

    def frames(self) -> Iterator[tuple[int, int, int, Buffer]]:
        """The frames that are complete: (type, flags, id, body). May be left and called again."""
        while True:
            data, offset = self._data, self._offset
            available = len(data) - offset
            if available < self._need:
                if available + self._have < self._need:
                    return
                self._join()
                continue
            word, ident = HEADER.unpack_from(data, offset)
            length = word >> 16
            if available - _HEADER_SIZE < length:
                self._need = _HEADER_SIZE + length
                continue
            start = offset + _HEADER_SIZE
            end = start + length
            self._offset = end
            self._need = _HEADER_SIZE
            body: Buffer = data[start:end] if length < _COPY_LIMIT else memoryview(data)[start:end]
            yield word & 0xFF, word >> 8 & 0xFF, ident, body

    def _join(self) -> None:
        """Makes one piece of what is left and the chunks that arrived since."""
        if self._offset == len(self._data) and len(self._chunks) == 1:
            self._data = self._chunks[0]
        else:
            self._data = b"".join((memoryview(self._data)[self._offset :], *self._chunks))
        self._offset = 0
        self._chunks.clear()
        self._have = 0

    def _take_descriptors(self, ancillary: Iterable[tuple[int, int, bytes]]) -> None:
        for level, kind, data in ancillary:
            if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
                descriptors = array.array("i")
                descriptors.frombytes(data[: len(data) - len(data) % descriptors.itemsize])
                self.descriptors.extend(descriptors)


def send_with_descriptors(sock: Stream, frame: Buffer, descriptors: Sequence[int]) -> None:
    """Sends ``frame`` with the descriptors at its first byte. The socket blocks; earlier bytes are out."""
    rights = (socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", descriptors))
    sent = sock.sendmsg([frame], [rights])
    if sent < len(frame):
        sock.sendall(memoryview(frame)[sent:])
