# SPDX-License-Identifier: BSD-3-Clause
"""Questions to the engine that wait for their answers: status, explanations."""

from __future__ import annotations

import itertools
import threading


class Inquiry:
    """One question: ``answered`` is set when ``answer`` is there, or when none will come."""

    def __init__(self) -> None:
        self.answered = threading.Event()
        self.answer: bytes | None = None

    def end(self, answer: bytes | None) -> None:
        """The answer, or None: there will be none."""
        self.answer = answer
        self.answered.set()


class Inquiries:
    """Those that are open, by the type of the answer and its number."""

    def __init__(self) -> None:
        self._open: dict[tuple[int, int], list[Inquiry]] = {}
        self._numbers = itertools.count(1)
        self._closed = False

    def number(self) -> int:
        """One that no other question has."""
        return next(self._numbers)

    def ask(self, kind: int, number: int) -> Inquiry:
        """A new question, to be sent after this."""
        inquiry = Inquiry()
        self._open.setdefault((kind, number), []).append(inquiry)
        if self._closed:
            inquiry.end(None)
        return inquiry

    def answered(self, kind: int, number: int, answer: bytes) -> None:
        """An answer arrived: for all who asked the same so far."""
        for inquiry in self._open.pop((kind, number), ()):
            inquiry.end(answer)

    def close(self) -> None:
        """No answer will come any more."""
        self._closed = True
        for inquiries in list(self._open.values()):
            for inquiry in inquiries:
                inquiry.end(None)
