# SPDX-License-Identifier: BSD-3-Clause
"""Exceptions as payloads. Whatever is wrong with an exception, its name, its message and its traceback
arrive.

The payload is a pickle of a dict of builtins: ``type``, ``message``, ``traceback``, ``host``, ``pid``, and
``chain``, the exception and its causes or contexts, each a pickle of its own or None.
"""

from __future__ import annotations

import builtins
import os
import pickle
import re
import socket
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from swiftlet._wire import Part

if TYPE_CHECKING:
    from swiftlet._segments import Loan, SegmentConsumer, SegmentProducer

_CHAIN_LIMIT = 20
_PLACE = re.compile(r'  File "(.+)", line (\d+), in ')


class RemoteTraceback(Exception):
    """The cause of an exception that came from another process; prints the traceback of that process.

    ``heading`` (lines about task, worker, attempt) and ``trailer`` (last lines of stderr) may be set by who
    knows them.
    """

    def __init__(self, text: str, host: str = "", pid: int = 0, rank: str = "") -> None:
        super().__init__(text)
        self.text = text
        self.host = host
        self.pid = pid
        self.rank = rank
        """``rank 1 of 4`` where it was raised by one of several MPI ranks, else empty."""
        place = f"in process {pid} on {host}" if pid else ""
        self.heading = f"on {rank}, {place}" if rank else place
        self.trailer = ""

    def __reduce__(self) -> tuple[Any, ...]:
        return RemoteTraceback, (self.text, self.host, self.pid, self.rank), self.__dict__

    def __str__(self) -> str:
        lines = [line.rstrip("\n") for line in (self.heading, self.text, self.trailer) if line]
        return '\n"""\n' + "\n".join(lines) + '\n"""'


class RemoteError(Exception):
    """Stands for an exception that cannot be made again here; names its type and has its message."""

    def __init__(self, type_name: str, message: str) -> None:
        super().__init__(type_name, message)
        self.type_name = type_name
        self.message = message

    def __str__(self) -> str:
        return f"{self.type_name}: {self.message}" if self.message else self.type_name


def dump_error(error: BaseException, producer: SegmentProducer | None = None, rank: str = "") -> list[Part]:
    """The payload of an exception. Never fails because of the exception. ``rank``: "rank 1 of 4", if there
    are.
    """
    content = {
        "type": _type_name(error),
        "message": _text_of(error),
        "traceback": _traceback_of(error),
        "host": _host(),
        "pid": os.getpid(),
        "rank": rank,
        "chain": [_dump_one(member) for member in _chain(error)],
    }
    data = pickle.dumps(content, 5)
    if producer is not None and len(data) >= producer.threshold:
        return [producer.store(data) or data]
    return [data]


def load_error(parts: Sequence[Part], consumer: SegmentConsumer | Loan | None = None) -> BaseException:
    """The exception, with a ``RemoteTraceback`` as its cause; what was its cause there is its context here.

    Never fails: ``RemoteError`` where the original cannot be made again.
    """
    from swiftlet._payload import loads

    try:
        content = loads(parts, consumer)
        type_name, message = content["type"], content["message"]
        text = with_source_lines(content["traceback"])
        remote = RemoteTraceback(text, content["host"], content["pid"], content["rank"])
        chain = [_load_one(data) for data in content["chain"]]
    except Exception as failure:
        return RemoteError("unreadable error", f"the error a task raised could not be read: {failure!r}")
    error = chain[0] if chain and chain[0] is not None else RemoteError(type_name, message)
    below: BaseException = error
    for context in chain[1:]:
        if context is None:
            break
        below.__context__ = context
        below = context
    error.__cause__ = remote
    return error


def with_source_lines(text: str) -> str:
    """A traceback with the lines of code that only this process knows, such as those of a notebook cell."""
    import linecache

    lines = text.splitlines(keepends=True)
    complete: list[str] = []
    for line, below in zip(lines, [*lines[1:], ""]):
        complete.append(line)
        place = _PLACE.match(line)
        if place is not None and not below.startswith("    "):
            code = linecache.getline(place[1], int(place[2])).strip()
            if code:
                complete.append(f"    {code}\n")
    return "".join(complete)


def _chain(error: BaseException) -> list[BaseException]:
    """The exception and what traceback prints with it: its cause, else its context, and so on."""
    chain = [error]
    while len(chain) < _CHAIN_LIMIT:
        last = chain[-1]
        below = last.__cause__ or (None if last.__suppress_context__ else last.__context__)
        if below is None or isinstance(below, RemoteTraceback) or below in chain:
            break
        chain.append(below)
    return chain


def _dump_one(error: BaseException) -> bytes | None:
    """A pickle of an exception that was seen to give an equal one; None if there is none."""
    for form in (error, _Regrouped(error) if _is_group(error) else _Rebuilt(error)):
        try:
            data = _pickle(form)
            loaded = _load_one(data)
            if loaded is not None and _type_name(loaded) == _type_name(error) and str(loaded) == str(error):
                return data
        except Exception:
            continue
    return None


def _load_one(data: bytes | None) -> BaseException | None:
    if data is None:
        return None
    try:
        loaded = pickle.loads(data)
    except Exception:
        return None
    return loaded if isinstance(loaded, BaseException) else None


class _Rebuilt:
    """Pickles an exception past its ``__init__``, which often takes other arguments than ``args`` has."""

    def __init__(self, error: BaseException) -> None:
        self._error = error

    def __reduce__(self) -> tuple[Any, ...]:
        error = self._error
        state = {name: value for name, value in error.__dict__.items() if _is_picklable(value)}
        args = tuple(value if _is_picklable(value) else repr(value) for value in error.args)
        return _rebuild, (type(error), args, state)


def _is_group(error: BaseException) -> bool:
    kind = getattr(builtins, "BaseExceptionGroup", None)  # Python 3.11
    return kind is not None and isinstance(error, kind)


class _Regrouped(_Rebuilt):
    """Pickles a group of exceptions one by one: a member that cannot be made again spoils no others."""

    def __reduce__(self) -> tuple[Any, ...]:
        group: Any = self._error
        _, (kind, _, state) = super().__reduce__()
        members = [(_dump_one(member), _type_name(member), _text_of(member)) for member in group.exceptions]
        return _regroup, (kind, group.message, members, state)


def _regroup(
    kind: Any, message: str, members: list[tuple[bytes | None, str, str]], state: dict[str, object]
) -> BaseException:
    made = [_load_one(data) or RemoteError(name, text) for data, name, text in members]
    group: BaseException = kind.__new__(kind, message, made)
    group.__dict__.update(state)
    return group


def _rebuild(kind: type[BaseException], args: tuple[object, ...], state: dict[str, object]) -> BaseException:
    error = kind.__new__(kind, *args)
    error.args = args
    error.__dict__.update(state)
    return error


def _pickle(obj: object) -> bytes:
    from swiftlet._payload import dumps

    part = dumps(obj)[0]
    assert isinstance(part, bytes)
    return part


def _is_picklable(value: object) -> bool:
    try:
        _pickle(value)
    except Exception:
        return False
    return True


def _type_name(error: BaseException) -> str:
    kind = type(error)
    module = kind.__module__
    return kind.__qualname__ if module in ("builtins", "__main__") else f"{module}.{kind.__qualname__}"


def _text_of(error: BaseException) -> str:
    try:
        return str(error)
    except Exception as failure:
        return f"<its text cannot be had: {type(failure).__name__}>"


def _traceback_of(error: BaseException) -> str:
    import traceback

    try:
        return "".join(traceback.format_exception(type(error), error, error.__traceback__))
    except Exception:
        frames = "".join(traceback.format_tb(error.__traceback__))
        return f"Traceback (most recent call last):\n{frames}{_type_name(error)}: {_text_of(error)}\n"


def _host() -> str:
    try:
        return socket.gethostname()
    except OSError:
        return sys.platform
