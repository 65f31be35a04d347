# SPDX-License-Identifier: BSD-3-Clause
"""Which cores of a node are pinned by whom: engines of one user never pin the same core.

A claim is a lock on an empty file per core, in a directory of the user's. The kernel drops it when its
holder ends, however
that happens; nothing is written, nothing can be stale.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import stat
import tempfile
import threading
import weakref
from collections.abc import Sequence

_open: weakref.WeakSet[Claim] = weakref.WeakSet()
_lock = threading.Lock()


class Claim:
    """Cores that are this executor's until ``release``, or until this process ends."""

    def __init__(self, cores: Sequence[int], most: int, level: str) -> None:
        """Claims at most so many of the cores, in their order. ``level``: the slot they belong to, which
        its own holder
        has claimed already. ``OSError`` if no claim can be made at all.
        """
        self._descriptors: dict[int, int] = {}
        directory = _directory(level)
        with _lock:
            for core in cores:
                if len(self._descriptors) == most:
                    break
                descriptor = os.open(os.path.join(directory, f"core-{core}"), os.O_RDWR | os.O_CREAT, 0o600)
                try:
                    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except OSError:
                    os.close(descriptor)
                else:
                    self._descriptors[core] = descriptor
        _open.add(self)

    @property
    def cores(self) -> list[int]:
        """What was claimed."""
        return sorted(self._descriptors)

    def release(self) -> None:
        """Others may claim them. May be called again."""
        while self._descriptors:
            with contextlib.suppress(OSError, KeyError):
                os.close(self._descriptors.popitem()[1])

    def __del__(self) -> None:
        self.release()


def _directory(level: str) -> str:
    """A directory that only this user can use; each slot has one of its own within."""
    path = os.path.join(tempfile.gettempdir(), f"swiftlet-cores-{os.getuid()}")
    with contextlib.suppress(FileExistsError):
        os.mkdir(path, 0o700)
    status = os.lstat(path)
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.getuid() or status.st_mode & 0o077:
        raise PermissionError(f"{path!r} is not a directory of this user's alone")
    if level:
        path = os.path.join(path, level)
        os.makedirs(path, 0o700, exist_ok=True)
    return path


def _forked() -> None:
    """A copy of this process must not keep what this one gives back."""
    for claim in list(_open):
        claim.release()


os.register_at_fork(after_in_child=_forked)
