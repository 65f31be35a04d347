# SPDX-License-Identifier: BSD-3-Clause
"""Futures of calls that somebody else runs: completed when their outcomes are seen in the store.

One thread for all of them, only while there are some. It looks four times a second at first, later every two
seconds.
"""

from __future__ import annotations

import os
import threading
import time
from typing import Any, NamedTuple

from swiftlet import _entries, _entry_claims, _payload
from swiftlet._entries import OUTCOME, TASK, Entry
from swiftlet._errors import TimeLimitError, WorkerLostError
from swiftlet._futures import Future

_FIRST_PAUSE = 0.25
_LAST_PAUSE = 2.0
_HOLDER_SECONDS = 10.0
"""How often it is asked whether whoever works on an entry is alive."""


class _Watched(NamedTuple):
    future: Future[Any]
    directory: str
    key: str


_lock = threading.Lock()
_watched: list[_Watched] = []
_gone_since: dict[int, float] = {}


def watch(future: Future[Any], directory: str, key: str) -> None:
    """Completes the future when the entry has an outcome, or when it is clear that none will come."""
    with _lock:
        _watched.append(_Watched(future, directory, key))
        if len(_watched) == 1:
            threading.Thread(target=_run, name="swiftlet-watch", daemon=True).start()


def settle(future: Future[Any], entry: Entry) -> BaseException | None:
    """Completes the future with an outcome; the error if it is one. Raises what unpickling a value raises."""
    error = error_of(entry)
    future._finish(None if error is not None else _payload.loads(entry.named("value")), error)
    return error


def error_of(entry: Entry) -> BaseException | None:
    """The exception that an outcome stands for; None for a value."""
    header = entry.header
    kind = header.get("kind")
    provenance = header.get("provenance") or {}
    if kind == "value":
        return None
    if kind == "error":
        return _payload.load_error(entry.named("error"))
    reason = header.get("reason") or "it does not say how it ended"
    if kind == "time limit":
        late = TimeLimitError(f"{header['key']}: {reason}")
        late.stderr = provenance.get("stderr", "")
        return late
    lost = WorkerLostError(f"{header['key']} was lost: {reason}")
    lost.exit_status = provenance.get("exit_status")
    lost.signal = provenance.get("signal")
    lost.stderr = provenance.get("stderr", "")
    return lost


def _run() -> None:
    pause = _FIRST_PAUSE
    ask_holders = time.monotonic()
    while True:
        asks = time.monotonic() >= ask_holders
        if asks:
            ask_holders = time.monotonic() + _HOLDER_SECONDS
        with _lock:
            watched = list(_watched)
        done = [one for one in watched if _look(one, asks)]
        with _lock:
            for one in done:
                _watched.remove(one)
                _gone_since.pop(id(one.future), None)
            if not _watched:
                return
        pause = _FIRST_PAUSE if done else min(pause * 1.2, _LAST_PAUSE)
        time.sleep(pause)


def _look(one: _Watched, ask_holder: bool) -> bool:
    """Completes the future if its time has come."""
    future, directory, key = one
    if future.done():
        return True
    try:
        entry = _entries.read(directory, key, OUTCOME)
    except FileNotFoundError:
        return _give_up(one) if ask_holder or id(future) in _gone_since else False
    except OSError as error:
        future._finish(None, error)
        return True
    try:
        settle(future, entry)
    except Exception as error:
        future._finish(None, error)
    return True


def _give_up(one: _Watched) -> bool:
    future, directory, key = one
    try:
        holder = _entry_claims.holder(directory, key)
    except RuntimeError:  # the queue cannot be asked: it is asked again
        return False
    has_task = os.path.exists(_entries.path_of(directory, key, TASK))
    if holder.state == "running" or (holder.state == "pending" and holder.job is not None):
        _gone_since.pop(id(future), None)
        return False
    since = _gone_since.setdefault(id(future), time.monotonic())
    patience = _entries.VISIBLE_WITHIN if holder.job is not None and has_task else _LAST_PAUSE
    if time.monotonic() - since < patience:
        return False
    text = f"{key} terminated without producing output: {holder.text}"
    if not has_task:
        text = f"{key} was taken back: its task is gone from {directory}"
    future._finish(None, WorkerLostError(text))
    return True
