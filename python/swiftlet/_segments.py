# SPDX-License-Identifier: BSD-3-Clause
"""Shared segments: where payload parts that are too large for the socket lie.

Rules (docs/reference/wire-protocol.md, "Segments and memory"): a producer writes parts one after the other
and never writes to a part again; a consumer maps segments privately, so what it reads is writable memory of
its own.

The producer's caller has one duty: ``sent(parts)`` after the frame that names the parts was put in the queue
of what is sent (or was given up). A segment is sealed only then, so that SEAL never overtakes a part.
"""

from __future__ import annotations

import contextlib
import mmap
import os
import pickle
import struct
import sys
import threading
import weakref
from collections import Counter, deque
from collections.abc import Callable, Iterable
from typing import Any

from swiftlet import _wire
from swiftlet._segmentmemory import SegmentMemory
from swiftlet._wire import Part, SegmentPart

SEGMENT_SIZE = 16 * 1024 * 1024
THRESHOLD = 64 * 1024
TIGHT_THRESHOLD = 1024

_PAGE = 4096
_FILE = 2  # flag of SEGMENT: not memory
_POOL_BYTES = 256 * 1024 * 1024
_POOL_SEGMENTS = 8
_SIZE = struct.Struct("<Q")
_FREED = struct.Struct("<QI")


class _Open:
    """A segment this process produces: its memory, and what is still to happen to it."""

    __slots__ = ("full", "ident", "memory", "offset", "sealed", "size", "unsent")

    def __init__(self, ident: int, memory: SegmentMemory) -> None:
        self.ident = ident
        self.memory = memory
        self.size = memory.size
        self.offset = 0
        self.unsent = 0
        self.full = False
        self.sealed = False


class SegmentProducer:
    """Writes parts into segments and tells the engine of them. For any number of threads.

    ``announce(frame, descriptor)`` has to send a SEGMENT frame before anything sent later, ``tell(frame)``
    the others. Both are called with a lock held and must not call back.
    """

    def __init__(
        self, origin: int, announce: Callable[[bytes, int], None], tell: Callable[[bytes], None]
    ) -> None:
        self.threshold = THRESHOLD
        self.origin = origin
        self._announce = announce
        self._tell = tell
        self._lock = threading.Lock()
        self._last = 0
        self._tight = False
        self._current: _Open | None = None
        self._segments: dict[int, _Open] = {}
        self._pool: list[SegmentMemory] = []
        self._warned = False

    def store(self, buffer: bytes | bytearray | memoryview) -> SegmentPart | None:
        """Writes one part. None where no segment can be had: then the part goes inline."""
        view = memoryview(buffer).cast("B")
        length = view.nbytes
        if length == 0:
            return None
        with self._lock:
            try:
                segment = self._segment_for(length)
            except OSError as error:
                self._warn(error)
                return None
            offset = segment.offset
            try:
                segment.memory.write(view, offset)
                part = SegmentPart(segment.ident, offset, length)
            except BaseException as error:
                segment.full = True
                self._seal_if_done(segment)
                if not isinstance(error, OSError):
                    raise  # Ctrl-C, most likely within what takes longest
                self._warn(error)
                return None
            segment.offset = offset + (length + _PAGE - 1) // _PAGE * _PAGE
            segment.full = segment.offset >= segment.size
            segment.unsent += 1
            return part

    def sent(self, parts: Iterable[Part]) -> None:
        """The frame that names these parts is queued, or will never be: their segments may be sealed."""
        for part in parts:
            if isinstance(part, SegmentPart):
                with self._lock:
                    segment = self._segments.get(part.segment)
                    if segment is not None:
                        segment.unsent -= 1
                        self._seal_if_done(segment)

    def set_budget(self, level: int) -> None:
        """BUDGET arrived. 1 and more: from now on small parts too, and into files instead of memory."""
        with self._lock:
            tight = level > 0
            if tight == self._tight:
                return
            self._tight = tight
            self.threshold = TIGHT_THRESHOLD if tight else THRESHOLD
            if self._current is not None:
                self._current.full = True
                self._seal_if_done(self._current)
                self._current = None
            if tight:
                self._empty_pool()

    def reuse(self, segment_id: int) -> None:
        """REUSE arrived: nobody uses the segment any more. Keeps its memory for later, within bounds."""
        with self._lock:
            segment = self._segments.pop(segment_id, None)
            if segment is None:
                return
            pooled = sum(memory.size for memory in self._pool)
            room = len(self._pool) < _POOL_SEGMENTS and pooled + segment.size <= _POOL_BYTES
            if segment.memory.is_memory and not self._tight and room:
                segment.memory.map()
                self._pool.append(segment.memory)
            else:
                segment.memory.close()

    def close(self) -> None:
        """Closes all descriptors; what consumers have mapped stays theirs."""
        with self._lock:
            self._empty_pool()
            for segment in self._segments.values():
                segment.memory.close()
            self._segments.clear()
            self._current = None

    def _segment_for(self, length: int) -> _Open:
        if length >= SEGMENT_SIZE:
            segment = self._open((length + _PAGE - 1) // _PAGE * _PAGE)
            segment.full = True
            return segment
        current = self._current
        if current is not None and not current.full and current.offset + length <= current.size:
            return current
        if current is not None:
            current.full = True
            self._seal_if_done(current)
            self._current = None
        self._current = self._open(SEGMENT_SIZE)
        return self._current

    def _open(self, size: int) -> _Open:
        """A segment of at least ``size`` bytes, announced."""
        fitting = [memory for memory in self._pool if size <= memory.size <= 2 * size]
        if fitting:
            memory = min(fitting, key=lambda memory: memory.size)
            self._pool.remove(memory)
        else:
            memory = SegmentMemory.create(size, not self._tight)
        self._last += 1
        segment = _Open(self.origin << 32 | self._last, memory)
        self._segments[segment.ident] = segment
        flags = 0 if memory.is_memory else _FILE
        frame = _wire.frame(_wire.SEGMENT, segment.ident, _SIZE.pack(memory.size), flags)
        self._announce(frame, memory.descriptor)
        return segment

    def _seal_if_done(self, segment: _Open) -> None:
        if segment.full and not segment.unsent and not segment.sealed:
            segment.sealed = True
            if segment is self._current:
                self._current = None
            self._tell(_wire.frame(_wire.SEAL, segment.ident))

    def _empty_pool(self) -> None:
        for memory in self._pool:
            memory.close()
        self._pool.clear()

    def _warn(self, error: OSError) -> None:
        if not self._warned:
            self._warned = True
            with contextlib.suppress(OSError, ValueError, AttributeError):
                sys.stderr.write(
                    f"swiftlet: no shared memory for large data ({error.strerror}); "
                    "it goes through the socket, which is slower\n"
                )


class InlineProducer(SegmentProducer):
    """For a peer that no descriptor can be sent to: everything goes inline."""

    def __init__(self) -> None:
        super().__init__(0, lambda frame, descriptor: None, lambda frame: None)

    def store(self, buffer: bytes | bytearray | memoryview) -> SegmentPart | None:
        """None: the part goes inline."""
        return None


class _Received:
    """A segment another process produces: its descriptor, and its mapping while a part of it is in use."""

    __slots__ = ("descriptor", "mapping", "size", "viewed")

    def __init__(self, descriptor: int, size: int) -> None:
        self.descriptor = descriptor
        self.size = size
        self.mapping: weakref.ref[mmap.mmap] | None = None
        self.viewed: set[int] = set()  # offsets of the parts viewed in this mapping: maybe written to


class _Use(weakref.ref):  # type: ignore[type-arg]
    """Notices that nothing refers to a delivered part any more."""

    __slots__ = ("segment",)
    segment: int


class Loan:
    """Parts that are being decoded, as a consumer hands them out: what is no longer used is not given back
    before ``settle``. Decoding may be interrupted anywhere, and is then done again from the same parts.
    """

    def __init__(self, consumer: SegmentConsumer) -> None:
        self._consumer = consumer
        self._uses: list[_Use] = []
        self._discarded: list[SegmentPart] = []

    def view(self, part: SegmentPart) -> memoryview:
        """See ``SegmentConsumer.view``."""
        try:
            buffer, use = self._consumer.lend(part)
        except Exception:
            self._discarded.append(part)
            raise
        self._uses.append(use)
        return buffer

    def discard(self, part: SegmentPart) -> None:
        """See ``SegmentConsumer.discard``."""
        self._discarded.append(part)

    def settle(self) -> None:
        """The parts have been decoded, once and for all: what is not in use is given back now or when that
        ends.
        """
        while self._uses:
            self._consumer.settle(self._uses.pop())
        while self._discarded:
            self._consumer.discard(self._discarded.pop())


class FreedSegments(deque[int]):
    """Takes what is no longer used of shared segments, and sees to it that the engine soon hears of it.

    ``tell_soon``: a method of whoever tells it, which is not kept alive by this.
    """

    def __init__(self, tell_soon: Callable[[], None]) -> None:
        super().__init__()
        self._tell_soon = weakref.WeakMethod(tell_soon)

    def append(self, segment: int) -> None:
        super().append(segment)
        tell_soon = self._tell_soon()
        if tell_soon is not None:
            tell_soon()


class SegmentConsumer:
    """Reads parts that other processes wrote. Each delivered part is freed once: by ``discard``, or when the
    last object that shares the memory of its ``view`` is gone. That may happen in any thread, so it only
    appends.
    """

    def __init__(self) -> None:
        self.freed: deque[int] = deque()
        self._lock = threading.Lock()
        self._segments: dict[int, _Received] = {}
        self._uses: dict[int, _Use] = {}

    def add(self, segment_id: int, size: int, descriptor: int) -> None:
        """SEGMENT arrived; the descriptor is ours from now on."""
        with self._lock:
            self._segments[segment_id] = _Received(descriptor, size)

    def view(self, part: SegmentPart) -> memoryview:
        """The part as writable memory that is private to this process.

        ``OSError`` or ``ValueError`` if it cannot be mapped; the part is freed then, too.
        """
        try:
            buffer, use = self.lend(part)
        except BaseException:
            self.freed.append(part.segment)
            raise
        self.settle(use)
        return buffer

    def lend(self, part: SegmentPart) -> tuple[memoryview, _Use]:
        """The same, but the part is not freed before ``settle(use)``."""
        owner = self._map(part)
        use = _Use(owner, self._unused)
        use.segment = part.segment
        return pickle.PickleBuffer(owner).raw()[: part.length], use

    def settle(self, use: _Use) -> None:
        """The part is freed when nothing refers to it any more, or now."""
        self._uses[id(use)] = use
        if use() is None:
            self._unused(use)

    def discard(self, part: SegmentPart) -> None:
        """The part was delivered and nobody will look at it."""
        self.freed.append(part.segment)

    def retire(self, segment_id: int) -> None:
        """RETIRE arrived: no further part of the segment will come. Mappings live as long as their views."""
        with self._lock:
            segment = self._segments.pop(segment_id, None)
        if segment is not None:
            os.close(segment.descriptor)

    def take_free_frame(self) -> bytes | None:
        """One FREE frame for all that was freed since the last; None if that is nothing."""
        freed = self.freed
        if not freed:
            return None
        counts: Counter[int] = Counter()
        while freed:
            try:
                counts[freed.popleft()] += 1
            except IndexError:  # another thread took the last one
                break
        body = b"".join([_FREED.pack(segment, count) for segment, count in counts.items()])
        return _wire.frame(_wire.FREE, 0, body) if body else None

    def close(self) -> None:
        """Closes all descriptors; what is in use stays mapped."""
        with self._lock:
            segments = list(self._segments.values())
            self._segments.clear()
        for segment in segments:
            os.close(segment.descriptor)

    def _map(self, part: SegmentPart) -> Any:
        """An object that exports the part's pages, keeps their mapping, and can be watched.

        A memoryview cannot be that object: a view of it does not keep it, only what it views.
        """
        import ctypes

        with self._lock:
            segment = self._segments.get(part.segment)
            if segment is None or part.offset + part.length > segment.size:
                raise ValueError(f"segment {part.segment:#x} has no part at {part.offset}")
            mapping = segment.mapping() if segment.mapping is not None else None
            if mapping is None or part.offset in segment.viewed:
                mapping = mmap.mmap(
                    segment.descriptor,
                    segment.size,
                    flags=mmap.MAP_PRIVATE,
                    prot=mmap.PROT_READ | mmap.PROT_WRITE,
                )
                segment.mapping = weakref.ref(mapping)
                segment.viewed.clear()
            segment.viewed.add(part.offset)
            pages = (
                (part.length + _PAGE - 1) // _PAGE * _PAGE
            )  # few different types: ctypes makes one per length
            room = min(pages, segment.size - part.offset)
            return (ctypes.c_ubyte * room).from_buffer(mapping, part.offset)

    def _unused(self, use: _Use) -> None:
        if self._uses.pop(id(use), None) is not None:  # else it is lent, or this has been said already
            self.freed.append(use.segment)
