# SPDX-License-Identifier: BSD-3-Clause
"""Looking after a cache directory: what is in it, whether it is intact, and what may go."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterable
from typing import NamedTuple

from swiftlet import _entries
from swiftlet._cache import entries_below
from swiftlet._entries import OUTCOME

__all__ = ["CacheEntry", "CacheProblem", "entries", "remove", "verify"]

_LEFT_OVER_SECONDS = 86400.0
"""A file without a name of its own that is older than this was left by a crash."""


class CacheEntry(NamedTuple):
    """An entry of a cache directory."""

    key: str
    finished: bool
    """It has an outcome; else its call waits or runs."""
    size: int
    """Bytes on disk."""
    modified: float
    """Seconds since 1970."""
    path: str


class CacheProblem(NamedTuple):
    """A file that cannot be used."""

    path: str
    reason: str
    """What is wrong, and what to do."""


def entries(cache_directory: str) -> list[CacheEntry]:
    """The entries of a directory, the oldest first. Nothing is loaded; one that does not exist is empty."""
    found = []
    for directory, key, role in entries_below(cache_directory):
        path = _entries.path_of(directory, key, role)
        with contextlib.suppress(FileNotFoundError):
            status = os.stat(path)
            found.append(CacheEntry(key, role == OUTCOME, status.st_size, status.st_mtime, path))
    return sorted(found, key=lambda entry: (entry.modified, entry.key))


def verify(cache_directory: str) -> list[CacheProblem]:
    """Reads every entry and checks owner, checksum and structure; what is wrong. Nothing is unpickled."""
    problems = []
    owners = _entries.trusted_owners()
    for directory, key, role in entries_below(cache_directory):
        try:
            _entries.read(directory, key, role, owners)
        except FileNotFoundError:  # it has ended or was removed meanwhile
            continue
        except OSError as error:
            problems.append(CacheProblem(_entries.path_of(directory, key, role), str(error)))
    return problems


def remove(
    cache_directory: str,
    keys: Iterable[str] | None = None,
    *,
    older_than: float | None = None,
    max_bytes: int | None = None,
    damaged: bool = False,
) -> list[str]:
    """Removes finished entries and returns their keys: those of ``keys``, those ``older_than`` so many
    seconds, the oldest until no more than ``max_bytes`` are left, and (``damaged``) those that cannot be
    used.

    Calls that wait or run are left alone (``terminate_task_in_cache`` ends them). What crashed programs have
    left behind is removed, too.
    """
    if keys is None and older_than is None and max_bytes is None and not damaged:
        raise ValueError("nothing says what to remove: give keys, older_than, max_bytes or damaged")
    finished = [entry for entry in entries(cache_directory) if entry.finished]
    wanted = set() if keys is None else set(keys)
    if older_than is not None:
        limit = time.time() - older_than
        wanted.update(entry.key for entry in finished if entry.modified < limit)
    if damaged:
        bad = {problem.path for problem in verify(cache_directory)}
        wanted.update(entry.key for entry in finished if entry.path in bad)
    if max_bytes is not None:
        left = sum(entry.size for entry in finished if entry.key not in wanted)
        for entry in finished:
            if left <= max_bytes:
                break
            if entry.key not in wanted:
                wanted.add(entry.key)
                left -= entry.size
    removed = []
    for entry in finished:
        if entry.key in wanted:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(entry.path)
                removed.append(entry.key)
    _remove_left_overs(cache_directory)
    return removed


def _remove_left_overs(cache_directory: str) -> None:
    limit = time.time() - _LEFT_OVER_SECONDS
    for folder, _, names in os.walk(os.path.abspath(cache_directory)):
        for name in names:
            path = os.path.join(folder, name)
            with contextlib.suppress(OSError):
                if name.startswith(_entries.PREFIX) and os.stat(path).st_mtime < limit:
                    os.unlink(path)
