# SPDX-License-Identifier: BSD-3-Clause
"""Ctrl-C at every step of the client: whatever it interrupts, nothing that was submitted is lost or hangs."""

from __future__ import annotations

import dis
import itertools
import os
import sys
from concurrent.futures import Future

import pytest

import swiftlet
from swiftlet import SingleNodeExecutor

# Python itself drops what is raised in a finaliser, Ctrl-C too.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")

SECONDS = 30.0
_PACKAGE = os.path.dirname(swiftlet.__file__)
_LOOKS = ("CALL", "RESUME", "JUMP_BACKWARD", "JUMP_ABSOLUTE")
_NOT_HERE = {"RESUME", "SWAP", "ROT_TWO", "POP_BLOCK"}
"""They leave a ``with`` block with the value of a call: a signal counts as one within the call."""


class Interruption:
    """Raises KeyboardInterrupt in the calling thread at the ``at``-th place of the package where Python looks
    for signals: after a call, at the beginning of a function and at the end of a loop's body.
    """

    def __init__(self, at: int) -> None:
        self._rest = at
        self.place = ""

    def trace(self, frame, event, arg):
        if not frame.f_code.co_filename.startswith(_PACKAGE):
            return None
        frame.f_trace_opcodes = True
        last = "RESUME"

        def step(frame, event, arg):
            nonlocal last
            if event == "opcode":
                looks = last.startswith(_LOOKS)
                last = dis.opname[frame.f_code.co_code[frame.f_lasti]]
                if looks and last not in _NOT_HERE and not self.place:
                    self._rest -= 1
                    if self._rest < 0:
                        self.place = f"{frame.f_code.co_filename}:{frame.f_lineno}, before {last}"
                        raise KeyboardInterrupt
            return step

        return step


def interrupted(at: int, operation) -> str:
    """Where the operation was interrupted; empty if it has no more than ``at`` places."""
    interruption = Interruption(at)
    before = sys.gettrace()
    try:
        sys.settrace(interruption.trace)
        operation()
    except KeyboardInterrupt:
        assert interruption.place
    finally:
        sys.settrace(before)
    return interruption.place


class Calls:
    """What is submitted, and what is to come of it."""

    def __init__(self) -> None:
        self.executor = SingleNodeExecutor(block_allocation=True, max_workers=1)
        self.expected: list[tuple[Future, object]] = []
        self.foreign: list[Future] = []

    def submit(self, value, *call) -> Future:
        future = self.executor.submit(*call)
        self.expected.append((future, value))
        return future

    def check(self) -> None:
        for future in self.foreign:
            future.set_result(-7)
        for future, value in self.expected:
            assert future.result(timeout=SECONDS) == value
        assert self.executor.submit(abs, -2).result(timeout=SECONDS) == 2
        self.foreign.clear()
        self.expected.clear()


def one(calls: Calls) -> None:
    calls.submit(1, abs, -1).result()


def many(calls: Calls) -> None:
    for number in range(40):
        calls.submit(number, abs, -number)


def large(calls: Calls) -> None:
    data = bytes(200_000)
    calls.submit(data, bytes, data).result()


def of_another(calls: Calls) -> None:
    foreign: Future = Future()
    calls.foreign.append(foreign)
    calls.submit(7, abs, foreign)


def after_another(calls: Calls) -> None:
    calls.submit(7, abs, calls.submit(7, abs, -7))


def by_value(calls: Calls) -> None:
    number = next(_numbers)
    calls.submit(number, lambda: number).result()


_numbers = itertools.count()


@pytest.mark.parametrize(
    ("operation", "step"),
    [(one, 1), (many, 23), (large, 1), (of_another, 1), (after_another, 1), (by_value, 3)],
)
def test_ctrl_c_anywhere(operation, step):
    calls = Calls()
    calls.check()
    for at in itertools.count(0, step):
        place = interrupted(at, lambda: operation(calls))
        try:
            calls.check()
        except Exception as error:
            pytest.fail(f"after a Ctrl-C at place {at}, {place}: {error!r}")
        if not place:
            break
    assert at > 50
    calls.executor.shutdown()
