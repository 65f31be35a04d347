# SPDX-License-Identifier: BSD-3-Clause
from __future__ import annotations

import os
import socket

import pytest

from swiftlet import _wire
from swiftlet._wire import FrameReader, ProtocolError, SegmentPart


def test_a_frame_has_length_flags_type_and_id() -> None:
    assert (
        _wire.frame(43, 7, b"abc", flags=1)
        == bytes((43, 1, 3, 0, 0, 0, 0, 0, 7, 0, 0, 0, 0, 0, 0, 0)) + b"abc"
    )


def test_attributes_come_back() -> None:
    attributes: dict[str, _wire.AttributeValue] = {
        "a": -5,
        "t": "grüße",
        "b": b"\x00\xff",
        "l": ["x", ""],
        "f": 0.5,
        "empty": [],
    }
    packed = _wire.pack_attributes(attributes)
    assert _wire.unpack_attributes(b"##" + packed + b"rest", 2) == (attributes, 2 + len(packed))


def test_an_attribute_without_a_tag_is_refused() -> None:
    with pytest.raises(TypeError, match="'x' cannot hold a dict"):
        _wire.pack_attributes({"x": {}})  # type: ignore[dict-item]


@pytest.mark.parametrize(
    "parts",
    [
        [],
        [b"one"],
        [b""],
        [SegmentPart(1 << 32 | 3, 4096, 99)],
        [b"a", SegmentPart(1, 2, 3), b"", b"b" * 70000],
    ],
)
def test_a_payload_comes_back(parts: list[_wire.Part]) -> None:
    packed = _wire.pack_payload(parts)
    assert _wire.unpack_payload(b"#" + packed + b"rest", 1) == (parts, 1 + len(packed))


def test_a_payload_may_hold_memory_of_others() -> None:
    packed = _wire.pack_payload([memoryview(b"abc"), bytearray(b"d")])
    assert _wire.unpack_payload(packed)[0] == [b"abc", b"d"]


def test_damaged_bodies_are_refused_at_every_length() -> None:
    packed = _wire.pack_payload([b"abc", SegmentPart(1, 2, 3)])
    for length in range(len(packed)):
        with pytest.raises(ProtocolError):
            _wire.unpack_payload(packed[:length])
    packed = _wire.pack_attributes({"a": 1, "t": "text", "l": ["x"]})
    for length in range(len(packed)):
        with pytest.raises(ProtocolError):
            _wire.unpack_attributes(packed[:length])


def test_frames_arrive_whole_however_the_bytes_do() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        reader = FrameReader(theirs)
        bodies = [b"", b"x", b"y" * 100_000, b"z" * 300]
        data = b"".join(_wire.frame(5, number, body) for number, body in enumerate(bodies))
        got: list[tuple[int, bytes]] = []
        for start in range(0, len(data), 777):
            ours.sendall(data[start : start + 777])
            assert reader.receive()
            got += [(ident, bytes(body)) for _, _, ident, body in reader.frames()]
        assert got == list(enumerate(bodies))
        assert reader.receive(block=False)
        ours.close()
        assert not reader.receive()


def test_the_iteration_may_be_left_and_resumed() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        reader = FrameReader(theirs)
        ours.sendall(_wire.frame(1, 1) + _wire.frame(2, 2) + _wire.frame(3, 3)[:9])
        reader.receive()
        assert next(reader.frames())[0] == 1
        assert [kind for kind, *_ in reader.frames()] == [2]


def test_descriptors_arrive_in_order_and_close_on_exec() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        first, second = os.pipe()
        _wire.send_with_descriptors(ours, _wire.frame(30, 1), [first])
        _wire.send_with_descriptors(ours, _wire.frame(30, 2), [second])
        os.close(first)
        os.close(second)
        reader = FrameReader(theirs)
        idents: list[int] = []
        while len(idents) < 2:
            assert reader.receive()
            idents += [ident for _, _, ident, _ in reader.frames()]
        reading, writing = reader.descriptors
        assert not os.get_inheritable(reading)
        os.write(writing, b"through")
        assert os.read(reading, 10) == b"through"
        os.close(reading)
        os.close(writing)
