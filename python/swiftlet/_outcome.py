# SPDX-License-Identifier: BSD-3-Clause
"""From the bytes of an OUTCOME to a value or an exception that says what happened, where, and why."""

from __future__ import annotations

import functools
import pickle
import re
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, final

from swiftlet import _payload, _wire
from swiftlet._errors import (
    MemoryLimitError,
    SubmissionError,
    TaskRefusedError,
    TimeLimitError,
    WorkerLostError,
    signal_name,
)
from swiftlet._segments import Loan
from swiftlet._slots import Slot, read_slots

_NOTHING: Mapping[int, str] = {}
HEAD = struct.Struct("<BBHIIQQ")

_SMALL_VALUE = b"\x00\x00\x01\x00\x00"  # no attributes, one part, inline
_SMALL_START = HEAD.size + len(_SMALL_VALUE) + 8
_UNREADABLE = "swiftlet: the result of the call arrived, but cannot be unpickled here"

_OVER_MEMORY = re.compile(
    r"OUT_OF_MEMORY|^slurmstepd\S*: error:.*(exceeded \w*\s?memory limit|oom[-_]kill)", re.I | re.M
)
"""In a job's state, and what Slurm's daemon on the node writes where the call writes."""


@final
@dataclass(frozen=True)
class CallInfo:
    """Where and when a call ran."""

    host: str
    pid: int
    worker: int
    attempt: int
    """How often it was started, this time included."""
    start: float
    """Seconds since the epoch."""
    duration: float
    """Seconds."""
    slots: tuple[Slot, ...] = ()
    """What it held, on each node it ran on."""


def is_small(body: bytes) -> bool:
    """True for a value in one piece: nothing of it lies in a shared segment."""
    return body[0] == _wire.KIND_VALUE and body.startswith(_SMALL_VALUE, HEAD.size)


def decode_small(body: bytes) -> tuple[Any, BaseException | None]:
    """``decode`` for an outcome that is small."""
    try:
        return pickle.loads(body[_SMALL_START:]), None
    except Exception as error:
        _note(error, _UNREADABLE)
        return None, error


def call_info(body: bytes, known: Mapping[int, str] = _NOTHING) -> CallInfo | None:
    """What the head of an OUTCOME says about the run; None if the call never ran.
    ``known``: the slots of warm workers.
    """
    _, _, attempt, worker, pid, start, duration = HEAD.unpack_from(body)
    if attempt == 0:
        return None
    slots = read_slots(slot_of(body) or known.get(worker))
    return CallInfo(_host(), pid, worker, attempt, start / 1e9, duration / 1e9, slots)


def slot_of(body: bytes) -> str | None:
    """The slot that an outcome names; None for those of warm workers."""
    if len(body) == HEAD.size:
        return None
    slot = _wire.unpack_attributes(body, HEAD.size)[0].get("slot")
    return slot if isinstance(slot, str) else None


def slot_words(body: _wire.Buffer) -> str:
    """The slot of a warm worker, as WORKER tells it."""
    return str(_wire.unpack_attributes(body)[0].get("slot", ""))


def head_with_slot(body: bytes) -> bytes:
    """What ``call_info`` needs of an outcome."""
    slot = slot_of(body) if body[HEAD.size : HEAD.size + 2] != b"\0\0" else None
    return body[: HEAD.size] + (b"" if slot is None else _wire.pack_attributes({"slot": slot}))


def part_size(part: _wire.Part) -> int:
    """The length of a part, wherever it lies."""
    return part.length if isinstance(part, _wire.SegmentPart) else memoryview(part).nbytes


def payload_size(body: bytes) -> int:
    """The length of an outcome's payload."""
    _, offset = _wire.unpack_attributes(body, HEAD.size)
    parts, _ = _wire.unpack_payload(body, offset)
    return sum(map(part_size, parts))


def segment_parts(body: bytes) -> list[_wire.SegmentPart]:
    """The parts of an OUTCOME that lie in segments."""
    _, offset = _wire.unpack_attributes(body, HEAD.size)
    parts, _ = _wire.unpack_payload(body, offset)
    return [part for part in parts if isinstance(part, _wire.SegmentPart)]


def decode(
    body: bytes,
    task: str,
    consumer: Loan,
    error_of: Callable[[int], BaseException | None],
) -> tuple[Any, BaseException | None]:
    """The value and None, or None and the exception. ``error_of(task id)`` gives the exception of a failed
    input where it is still alive, so that all who depend on it raise the same object.
    """
    kind = body[0]
    attributes, offset = _wire.unpack_attributes(body, HEAD.size)
    parts, _ = _wire.unpack_payload(body, offset)
    if kind == _wire.KIND_VALUE:
        try:
            return _payload.loads(parts, consumer), None
        except Exception as error:
            _note(error, _UNREADABLE)
            return None, error
    if kind == _wire.KIND_INPUT_FAILED:
        origin = attributes.get("origin")
        known = error_of(origin) if isinstance(origin, int) else None
        if known is not None:
            _payload.discard(parts, consumer)
            return None, known
    if parts:
        return None, _raised(body, task, attributes, parts, consumer)
    return None, _failure(kind, f"{task}{_place(body)}", attributes)


def _raised(
    body: bytes,
    task: str,
    attributes: dict[str, Any],
    parts: list[_wire.Part],
    consumer: Loan,
) -> BaseException:
    """The exception that the call (or the worker's preparation) raised, with a note of where that was."""
    error = _payload.load_error(parts, consumer)
    rank = getattr(error.__cause__, "rank", "")
    note = f"swiftlet: raised by {task}{rank and f' on {rank}'}{_place(body)}"
    if body[0] == _wire.KIND_REFUSED:
        note = f"swiftlet: {task} could not run: {attributes.get('reason', '')}"
    elif body[0] == _wire.KIND_INPUT_FAILED:
        origin = attributes.get("origin")
        note = f"swiftlet: {task} did not run: its input, task {origin}, failed with this error"
    _note(error, note + _tail(attributes))
    return error


def _failure(kind: int, task: str, attributes: dict[str, Any]) -> BaseException:
    stderr = str(attributes.get("stderr", ""))
    reason = str(attributes.get("reason", ""))
    tail = _tail(attributes)
    if kind == _wire.KIND_LOST:
        attempts = tuple(str(attempt) for attempt in attributes.get("attempts", ()))
        limit = attributes.get("memory_limit")
        if isinstance(limit, int):
            lost: WorkerLostError = MemoryLimitError(f"{task} {reason}{_history(attempts)}{tail}")
            lost.limit, lost.used = limit, attributes.get("memory_used")  # type: ignore[attr-defined]
        elif _OVER_MEMORY.search(f"{reason}\n{stderr}"):
            how = "used more memory than Slurm allows it and was ended"
            lost = MemoryLimitError(f"{task} {how}; {reason}{_history(attempts)}{tail}")
        else:
            how = _how_lost(reason, attributes)
            lost = WorkerLostError(f"{task} was lost: {how}{_history(attempts)}{tail}")
        lost.exit_status = attributes.get("exit_status")
        lost.signal = attributes.get("signal")
        lost.attempts = attempts
        lost.stderr = stderr
        return lost
    if kind == _wire.KIND_TIME_LIMIT:
        limit = attributes.get("limit")
        late = TimeLimitError(
            f"{task} ran longer than its run_time_max of {limit:g} s and was ended; "
            f"give it more time, or split the work{tail}"
            if isinstance(limit, (int, float))
            else f"{task} ran longer than its run_time_max and was ended{tail}"
        )
        late.limit = limit
        late.stderr = stderr
        return late
    if kind == _wire.KIND_REFUSED:
        command, refuses, words = reason.partition(" refused the job: ")
        if refuses:
            return SubmissionError(f"{task} could not be run: {reason}{tail}", command, words)
        refused = TaskRefusedError(f"{task} could not be run: {reason}{tail}")
        refused.stderr = stderr
        return refused
    origin = attributes.get("origin")
    cause = attributes.get("cause")
    if not isinstance(cause, bytes):
        return WorkerLostError(f"{task} did not run: its input, task {origin}, has no value")
    known, _ = _wire.unpack_attributes(cause, 0)
    error = _failure(int(attributes["cause_kind"]), f"task {origin}", known)
    _note(error, f"swiftlet: {task} did not run: its input, task {origin}, failed with this error")
    return error


def _how_lost(reason: str, attributes: dict[str, Any]) -> str:
    number = attributes.get("signal")
    status = attributes.get("exit_status")
    if number is not None:
        how = f"its process was ended by {signal_name(number)}"
        if number == 9:
            how += " (if nobody sent it: the kernel does so when memory runs out)"
        elif number in (4, 7, 8, 11):
            how += " (a crash in native code; PYTHONFAULTHANDLER=1 shows where)"
    elif status is not None:
        how = f"its process exited with status {status} before it gave a result"
    else:
        return reason or "its process died"
    if reason in how or (number is not None and reason.startswith(f"was ended by signal {number} ")):
        return how
    return f"{how}: {reason}"


def _history(attempts: tuple[str, ...]) -> str:
    if len(attempts) < 2:
        return ""
    lines = "".join(f"\n  attempt {number}: {reason}" for number, reason in enumerate(attempts, 1))
    return f"; {len(attempts)} attempts:{lines}"


def _place(body: bytes) -> str:
    info = call_info(body)
    if info is None:
        return ""
    return f" (attempt {info.attempt}, worker {info.worker}, pid {info.pid}, host {info.host})"


def _tail(attributes: dict[str, Any]) -> str:
    stderr = str(attributes.get("stderr", "")).rstrip()
    if not stderr:
        return ""
    return "\nlast lines of its stderr:\n" + "\n".join("  " + line for line in stderr.splitlines())


def _note(error: BaseException, text: str) -> None:
    """Adds a note to the exception, or before Python 3.11 to the text of its remote traceback."""
    if hasattr(error, "add_note"):
        error.add_note(text)
    else:
        cause = error.__cause__
        if isinstance(cause, _payload.RemoteTraceback):
            cause.trailer = f"{cause.trailer}\n{text}".strip()


@functools.lru_cache(maxsize=1)
def _host() -> str:
    import socket

    return socket.gethostname()
