# SPDX-License-Identifier: BSD-3-Clause
"""The memory of a segment, as its producer writes to it.

A new segment is written by ``pwrite``, which says so where there is no memory for it. In one that is used
again the pages are there: copying into a mapping of them takes a third of the time.
"""

from __future__ import annotations

import contextlib
import errno
import mmap
import os

_PAGE = 4096
_PIECE = 4 * 1024 * 1024  # other threads may run after each
_MADV_POPULATE_WRITE = 23  # Linux 5.14; Python 3.14 has a name for it


class SegmentMemory:
    """An unnamed file of ``size`` bytes. ``is_memory``: not on a disk. For one thread at a time."""

    def __init__(self, descriptor: int, size: int, is_memory: bool) -> None:
        self.descriptor = descriptor
        self.size = size
        self.is_memory = is_memory
        self._mapping: mmap.mmap | None = None

    @classmethod
    def create(cls, size: int, in_memory: bool) -> SegmentMemory:
        """``OSError`` if there is none to be had, neither in memory nor on a disk."""
        if in_memory and hasattr(os, "memfd_create"):
            with contextlib.suppress(OSError):
                return cls(_sized(os.memfd_create("swiftlet", os.MFD_CLOEXEC), size), size, True)
        import tempfile  # what it imports would make every fork of a worker slower

        descriptor, path = tempfile.mkstemp(prefix="swiftlet-")
        os.unlink(path)
        return cls(_sized(descriptor, size), size, False)

    def map(self) -> None:
        """It is going to be used again: maps it, where the system can."""
        if self._mapping is None:
            with contextlib.suppress(OSError, ValueError):
                self._mapping = mmap.mmap(self.descriptor, self.size)
                self._mapping.madvise(mmap.MADV_DONTFORK)

    def write(self, view: memoryview, offset: int) -> None:
        """Writes bytes. ``OSError`` if there is no memory for them."""
        if not self._copy(view, offset):
            _write(self.descriptor, view, offset)

    def close(self) -> None:
        """Lets it go; what consumers have mapped stays theirs."""
        if self._mapping is not None:
            self._mapping.close()
        os.close(self.descriptor)

    def _copy(self, view: memoryview, offset: int) -> bool:
        """Copies into the mapping, if there is one and all its pages are there: where they could not be had
        later, this process would be killed.
        """
        mapping = self._mapping
        if mapping is None:
            return False
        start = offset // _PAGE * _PAGE
        end = offset + view.nbytes
        try:
            mapping.madvise(_MADV_POPULATE_WRITE, start, end - start)
        except (OSError, ValueError):  # an older kernel, or no memory
            return False
        for first in range(offset, end, _PIECE):
            last = min(first + _PIECE, end)
            mapping[first:last] = view[first - offset : last - offset]
        return True


def _sized(descriptor: int, size: int) -> int:
    try:
        os.ftruncate(descriptor, size)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def _write(descriptor: int, view: memoryview, offset: int) -> None:
    while view.nbytes:
        written = os.pwrite(descriptor, view, offset)
        if written == 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        offset += written
        view = view[written:]
