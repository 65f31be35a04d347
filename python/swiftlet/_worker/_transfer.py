# SPDX-License-Identifier: BSD-3-Clause
"""Large parts of payloads between ranks, by MPI, as the bytes they are. A message has at most 1 GiB: counts
of MPI 3 have 31 bits.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

THRESHOLD = 64 * 1024
_MOST = 1 << 30


def split(parts: Sequence[Any]) -> tuple[list[bytes | int], list[memoryview]]:
    """For a message: small parts themselves, of large ones the length. And the large ones."""
    small: list[bytes | int] = []
    large: list[memoryview] = []
    for part in parts:
        view = memoryview(part).cast("B")
        if view.nbytes < THRESHOLD:
            small.append(bytes(view))
        else:
            small.append(view.nbytes)
            large.append(view)
    return small, large


def joined(small: Sequence[bytes | int], large: Sequence[Any]) -> list[Any]:
    """The parts again."""
    rest = iter(large)
    return [next(rest) if isinstance(part, int) else part for part in small]


def buffers(small: Sequence[bytes | int]) -> list[bytearray]:
    """Memory for the large parts that a message announces."""
    return [bytearray(part) for part in small if isinstance(part, int)]


def broadcast(comm: Any, large: Sequence[Any]) -> None:
    """From rank 0 to all; for all to call, with equal lengths."""
    for part in large:
        for piece in _pieces(part):
            comm.Bcast(piece, 0)


def send(comm: Any, large: Sequence[Any]) -> None:
    """To rank 0."""
    for part in large:
        for piece in _pieces(part):
            comm.Send(piece, 0)


def receive(comm: Any, large: Sequence[bytearray], rank: int) -> None:
    """From a rank, on rank 0."""
    for part in large:
        for piece in _pieces(part):
            comm.Recv(piece, rank)


def _pieces(part: Any) -> Iterator[memoryview]:
    view = memoryview(part).cast("B")
    for start in range(0, view.nbytes, _MOST):
        yield view[start : start + _MOST]
