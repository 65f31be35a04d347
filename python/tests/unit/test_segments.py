# SPDX-License-Identifier: BSD-3-Clause
from __future__ import annotations

import errno
import gc
import os
import struct
import threading
from collections.abc import Iterator

import pytest

from swiftlet import _segmentmemory, _wire
from swiftlet._segments import SEGMENT_SIZE, SegmentConsumer, SegmentProducer
from swiftlet._wire import SegmentPart


class Pair:
    """A producer whose segments a consumer gets at once."""

    def __init__(self) -> None:
        self.consumer = SegmentConsumer()
        self.told: list[tuple[int, int]] = []
        self.announced: list[int] = []
        self.flags: list[int] = []
        self.producer = SegmentProducer(3, self._announce, self._tell)

    def _announce(self, frame: bytes, descriptor: int) -> None:
        word, ident = _wire.HEADER.unpack_from(frame)
        assert word & 0xFF == _wire.SEGMENT
        self.announced.append(ident)
        self.flags.append(word >> 8 & 0xFF)
        self.consumer.add(ident, struct.unpack_from("<Q", frame, 16)[0], os.dup(descriptor))

    def _tell(self, frame: bytes) -> None:
        word, ident = _wire.HEADER.unpack_from(frame)
        self.told.append((word & 0xFF, ident))

    def store(self, data: bytes) -> SegmentPart:
        part = self.producer.store(data)
        assert part is not None
        return part


@pytest.fixture
def pair() -> Iterator[Pair]:
    pair = Pair()
    yield pair
    pair.producer.close()
    pair.consumer.close()


def test_parts_share_a_segment_page_by_page(pair: Pair) -> None:
    parts = [pair.store(bytes((number,)) * 70_000) for number in range(3)]
    assert [part.offset for part in parts] == [0, 73_728, 147_456]
    assert pair.announced == [3 << 32 | 1]
    for number, part in enumerate(parts):
        assert pair.consumer.view(part) == bytes((number,)) * 70_000


def test_each_view_is_writable_memory_of_its_own(pair: Pair) -> None:
    part, neighbour = pair.store(b"a" * 5000), pair.store(b"b" * 5000)
    first = pair.consumer.view(part)
    first[0] = 65
    second = pair.consumer.view(part)
    assert bytes(first[:2]) == b"Aa"
    assert bytes(second[:2]) == b"aa"
    assert bytes(pair.consumer.view(neighbour)[:2]) == b"bb"


def test_a_part_is_freed_once_when_nothing_refers_to_its_memory(pair: Pair) -> None:
    part = pair.store(b"a" * 5000)
    view = pair.consumer.view(part)
    inner = memoryview(view)[10:20]
    del view
    gc.collect()
    assert pair.consumer.take_free_frame() is None
    del inner
    gc.collect()
    pair.consumer.discard(part)
    expected = _wire.frame(_wire.FREE, 0, struct.pack("<QI", part.segment, 2))
    assert pair.consumer.take_free_frame() == expected
    assert pair.consumer.take_free_frame() is None


def test_a_view_outlives_its_segment(pair: Pair) -> None:
    view = pair.consumer.view(pair.store(b"a" * 5000))
    pair.consumer.retire(3 << 32 | 1)
    assert bytes(view[:3]) == b"aaa"
    with pytest.raises(ValueError, match="has no part"):
        pair.consumer.view(SegmentPart(3 << 32 | 1, 0, 10))
    assert len(pair.consumer.freed) == 1


def test_seal_waits_until_the_parts_are_sent(pair: Pair) -> None:
    half = SEGMENT_SIZE // 2
    first, second = pair.store(b"1" * half), pair.store(b"2" * half)
    third = pair.store(b"3" * half)
    assert third.segment != first.segment == second.segment
    pair.producer.sent([first])
    assert pair.told == []
    pair.producer.sent([b"inline", second])
    assert pair.told == [(_wire.SEAL, first.segment)]


def test_a_large_part_has_a_segment_of_its_own(pair: Pair) -> None:
    small = pair.store(b"s" * 70_000)
    large = pair.store(b"l" * (SEGMENT_SIZE + 1))
    assert pair.store(b"t" * 70_000).segment == small.segment
    pair.producer.sent([large])
    assert pair.told == [(_wire.SEAL, large.segment)]
    assert bytes(pair.consumer.view(large)[-2:]) == b"ll"


def test_memory_is_used_again_under_a_new_id(pair: Pair) -> None:
    large = pair.store(b"l" * (SEGMENT_SIZE + 1))
    inode = os.fstat(pair.producer._segments[large.segment].memory.descriptor).st_ino
    pair.producer.reuse(large.segment)
    again = pair.store(b"m" * SEGMENT_SIZE)
    assert again.segment != large.segment
    assert os.fstat(pair.producer._segments[again.segment].memory.descriptor).st_ino == inode
    assert bytes(pair.consumer.view(again)[:2]) == b"mm"


@pytest.mark.parametrize("can_populate", [True, False])
def test_memory_that_is_used_again_holds_what_is_written_last(
    pair: Pair, monkeypatch: pytest.MonkeyPatch, can_populate: bool
) -> None:
    if not can_populate:  # as on a kernel before 5.14
        monkeypatch.setattr(_segmentmemory, "_MADV_POPULATE_WRITE", 9999)
    first = pair.store(b"l" * (SEGMENT_SIZE + 1))
    seen = pair.consumer.view(first)
    pair.producer.reuse(first.segment)
    data = os.urandom(SEGMENT_SIZE + 4097)
    for _ in range(2):
        part = pair.store(data)
        assert pair.consumer.view(part) == data
        pair.producer.reuse(part.segment)
    del seen


def test_a_used_up_budget_moves_small_parts_to_files(pair: Pair) -> None:
    kept = pair.store(b"k" * 70_000)
    pair.producer.sent([kept])
    pair.producer.set_budget(1)
    assert pair.told == [(_wire.SEAL, kept.segment)]
    assert pair.producer.threshold == 1024
    part = pair.store(b"f" * 2000)
    link = os.readlink(f"/proc/self/fd/{pair.producer._segments[part.segment].memory.descriptor}")
    assert "memfd" not in link
    assert link.endswith("(deleted)")
    assert pair.consumer.view(part) == b"f" * 2000
    assert pair.flags == [0, 2]
    pair.producer.set_budget(2)
    assert pair.store(b"f" * 2000).segment == part.segment
    pair.producer.set_budget(0)
    assert pair.producer.threshold == 65536
    assert pair.store(b"n" * 70_000).segment != part.segment


def test_where_no_segment_can_be_had_the_part_goes_inline_and_says_so_once(
    pair: Pair, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(*arguments: object) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    kept = pair.store(b"k" * 70_000)
    monkeypatch.setattr(os, "pwrite", full)
    assert pair.producer.store(b"x" * 70_000) is None
    pair.producer.sent([kept])
    assert pair.told == [(_wire.SEAL, kept.segment)]
    monkeypatch.setattr(os, "ftruncate", full)
    assert pair.producer.store(b"x" * 70_000) is None
    assert capsys.readouterr().err.count("No space left on device") == 1


def test_many_threads_store_at_once(pair: Pair) -> None:
    stored: list[tuple[SegmentPart, bytes]] = []

    def work(number: int) -> None:
        for index in range(20):
            data = bytes((number, index)) * 50_000
            part = pair.store(data)
            stored.append((part, data))
            pair.producer.sent([part])

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(pair.consumer.view(part) == data for part, data in stored)
    assert len({part[:2] for part, _ in stored}) == 80
