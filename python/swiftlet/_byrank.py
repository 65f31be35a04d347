# SPDX-License-Identifier: BSD-3-Clause
"""The values of MPI ranks as one payload: each rank pickled its own, and nobody in between looks into it."""

from __future__ import annotations

import pickle
from collections.abc import Sequence
from typing import Any

from swiftlet._wire import Part

_THRESHOLD = 64 * 1024


def join(ranks: Sequence[Sequence[Any]], chunk: bool) -> list[Part]:
    """The payload of the list of the ranks' values, from the payloads (inline) of each.

    ``chunk``: each value is itself the list of values of a chunk of calls; then the list is by call, and
    within
    it by rank. Parts of 64 KiB and more stay as they are, beside the pickle.
    """
    buffers: list[Part] = []

    def in_band(buffer: pickle.PickleBuffer) -> bool:
        raw = buffer.raw()
        if raw.nbytes < _THRESHOLD:
            return True
        buffers.append(raw)
        return False

    data = pickle.dumps(_ByRank(ranks, chunk), 5, buffer_callback=in_band)
    return [data, *buffers]


def load(ranks: Sequence[Sequence[Any]], chunk: bool) -> list[Any]:
    """What the receiver's ``pickle.loads`` calls: the values by rank."""
    values = [pickle.loads(parts[0], buffers=parts[1:]) for parts in ranks]
    return [list(call) for call in zip(*values)] if chunk else values


class _ByRank:
    """Pickles as a call of ``load``."""

    def __init__(self, ranks: Sequence[Sequence[Any]], chunk: bool) -> None:
        self._ranks = ranks
        self._chunk = chunk

    def __reduce_ex__(self, protocol: Any) -> tuple[Any, ...]:
        ranks = [[pickle.PickleBuffer(part) for part in parts] for parts in self._ranks]
        return load, (ranks, self._chunk)
