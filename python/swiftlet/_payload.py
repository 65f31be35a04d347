# SPDX-License-Identifier: BSD-3-Clause
"""Python objects as payloads: a pickle (protocol 5), its large buffers beside it in shared segments.

Plain pickle where that is exact, cloudpickle where the object belongs to ``__main__`` or to a module
registered by value, or where plain pickling fails. References to results of other tasks (``Input``) may lie
anywhere in an object.
"""

from __future__ import annotations

import io
import pickle
import sys
import types
from collections import ChainMap
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, Union

from swiftlet._errorpayload import RemoteError, RemoteTraceback, dump_error, load_error
from swiftlet._wire import Part, SegmentPart

if TYPE_CHECKING:
    from swiftlet._segments import Loan, SegmentConsumer, SegmentProducer

__all__ = [
    "Given",
    "Input",
    "RemoteError",
    "RemoteTraceback",
    "discard",
    "dump_callable",
    "dump_error",
    "dumps",
    "load_error",
    "loads",
]

_PLAIN = frozenset((int, float, str, bool, type(None), bytes))
_THRESHOLD = 64 * 1024
_DEPTH = 6
_NAMELESS = "<dynamic-code>"  # what newer versions of cloudpickle put for the file of a function by value

_dumps_plain = pickle.dumps


class Input(NamedTuple):
    """Stands for the result of another task: number ``index`` of the inputs, ``path`` the keys to follow in
    it.
    """

    index: int  # type: ignore[assignment]
    path: tuple[object, ...] = ()


class Given(NamedTuple):
    """Stands for a value that is there already, ``path`` the keys to follow in it."""

    value: object
    path: tuple[object, ...] = ()


Reference = Callable[[object], Union[Input, Given, None]]


def dumps(
    obj: object,
    producer: SegmentProducer | None = None,
    *,
    reference: Reference | None = None,
    into: list[Part] | None = None,
) -> list[Part]:
    """The parts of a payload. Call ``producer.sent(parts)`` once they are queued.

    ``into``: the list they are put into, for who may be interrupted: what is in it then is ``sent``, too.
    ``reference`` says for any object in it whether it stands for the result of another task; it may be asked
    several times for one object and has to give the same answer.
    Raises ``TypeError`` or ``pickle.PicklingError`` with the reason if it cannot be pickled.
    """
    parts: list[Part] = [] if into is None else into
    if _is_plain(obj):
        data = _dumps_plain(obj, 5)
        if len(data) < _THRESHOLD or producer is None:
            parts.append(data)
        else:
            parts.append(producer.store(data) or data)
        return parts
    limit = sys.maxsize if producer is None else producer.threshold
    data, buffers = _dump(obj, limit, reference)
    if producer is None or len(data) < limit:
        parts.append(data)
    else:
        parts.append(producer.store(data) or data)
    if producer is not None:
        for buffer in buffers:
            parts.append(producer.store(buffer) or buffer)
    return parts


def _is_plain(obj: object) -> bool:
    """Whether plain pickle is exact for sure: numbers, texts and bytes, or a call (or several) with only
    those.
    """
    kind = type(obj)
    members: Sequence[Any] = obj  # type: ignore[assignment]
    if kind is tuple and len(members) == 2:
        args, kwargs = members
        if type(args) is tuple and type(kwargs) is dict:
            return _PLAIN.issuperset(map(type, args)) and (
                not kwargs or _PLAIN.issuperset(map(type, kwargs.values()))
            )
    if kind is tuple or kind is list:
        if _PLAIN.issuperset(map(type, members)):
            return True
        return all(type(member) is tuple and _PLAIN.issuperset(map(type, member)) for member in members)
    return kind in _PLAIN


def _dump(obj: object, limit: int, reference: Reference | None) -> tuple[bytes, list[memoryview]]:
    buffers: list[memoryview] = []

    def in_band(buffer: pickle.PickleBuffer) -> bool:
        try:
            raw = buffer.raw()
        except BufferError:  # not contiguous
            return True
        if raw.nbytes < limit:
            return True
        buffers.append(raw)
        return False

    try:
        if reference is None:
            data = _dumps_plain(obj, 5, buffer_callback=in_band)
        else:
            stream = io.BytesIO()
            _ReferencePickler(stream, in_band, reference).dump(obj)
            data = stream.getvalue()
        if not _needs_cloudpickle(data):
            return data, buffers
    except Exception:  # cloudpickle may know how, or says why not
        pass
    buffers.clear()
    stream = io.BytesIO()
    try:
        _cloud_pickler(stream, in_band, reference).dump(obj)
    except Exception as error:
        kind = TypeError if isinstance(error, TypeError) else pickle.PicklingError
        raise kind(_explain_unpicklable(obj, error, reference)) from error
    return stream.getvalue(), buffers


class _ReferencePickler(pickle.Pickler):
    def __init__(self, stream: io.BytesIO, in_band: Callable[[Any], bool], reference: Reference) -> None:
        super().__init__(stream, 5, buffer_callback=in_band)
        self._reference = reference

    def reducer_override(self, obj: Any) -> Any:
        found = self._reference(obj)
        return NotImplemented if found is None else _replacement(found)


def _cloud_pickler(stream: io.BytesIO, in_band: Callable[[Any], bool], reference: Reference | None) -> Any:
    """A cloudpickle pickler that swaps references, too. Its class is made when cloudpickle is needed."""
    global _CloudReferencePickler
    if _CloudReferencePickler is None:
        import cloudpickle  # type: ignore[import-untyped,unused-ignore]

        class CloudReferencePickler(cloudpickle.Pickler):  # type: ignore[misc,unused-ignore]
            reference: Reference | None = None
            dispatch_table = ChainMap(
                {types.CodeType: _code_reducer(cloudpickle.Pickler.dispatch_table[types.CodeType])},
                cloudpickle.Pickler.dispatch_table,
            )

            def reducer_override(self, obj: Any) -> Any:
                if identify_class is not None and isinstance(obj, type) and obj.__module__ == "__main__":
                    identify_class(obj)
                if self.reference is not None:
                    found = self.reference(obj)
                    if found is not None:
                        return _replacement(found)
                return super().reducer_override(obj)

        _CloudReferencePickler = CloudReferencePickler
    pickler = _CloudReferencePickler(stream, 5, buffer_callback=in_band)
    pickler.reference = reference
    return pickler


_CloudReferencePickler: Any = None

identify_class: Callable[[type], None] | None = None
"""Sees each class of ``__main__`` before it is pickled, in programs that store results."""


def _replacement(found: Input | Given) -> tuple[Any, ...]:
    return (_resolve_input if isinstance(found, Input) else _follow), tuple(found)


def _follow(value: Any, path: tuple[object, ...]) -> Any:
    for key in path:
        value = value[key]
    return value


def _code_reducer(reduce: Callable[[Any], Any]) -> Callable[[types.CodeType], Any]:
    """``reduce`` of cloudpickle, but code keeps the name of its file: else a traceback of the worker could
    not show the line that failed.
    """

    def reduce_code(code: types.CodeType) -> Any:
        make, args = reduce(code)
        return make, tuple("".join(code.co_filename) if arg == _NAMELESS else arg for arg in args)

    return reduce_code


def _needs_cloudpickle(data: bytes) -> bool:
    """Whether a plain pickle may name something that only exists in this process."""
    if b"__main__" in data:
        return True
    cloudpickle = sys.modules.get("cloudpickle")
    if cloudpickle is None:
        return False
    return any(name.encode() in data for name in cloudpickle.list_registry_pickle_by_value())


def _explain_unpicklable(obj: object, error: Exception, reference: Reference | None) -> str:
    """The error's own words, and where in ``obj`` what it is about lies, if that can be found."""
    text = str(error) or type(error).__name__
    if not isinstance(error, (TypeError, pickle.PicklingError, AttributeError)):
        text = f"{type(error).__name__}: {text}"
    place = _place_of_unpicklable(obj, reference)
    if _is_call(obj):  # the object itself is none of the user's
        return f"{text} ({place})" if place else text
    message = f"cannot pickle an object of type {type(obj).__name__!r}: {text}"
    return f"{message} ({place})" if place else message


def _place_of_unpicklable(obj: object, reference: Reference | None) -> str:
    """The names of the members that lead to what cannot be pickled, and its type; empty if it is ``obj``."""
    names: list[str] = []
    while len(names) < _DEPTH:
        for name, member in _members(obj):
            try:
                _dump_quietly(member, reference)
            except Exception:
                names.append(name)
                obj = member
                break
        else:
            break
    return f"{', '.join(names)} of type {type(obj).__name__!r}" if names else ""


def _is_call(obj: object) -> bool:
    """Whether this is what ``submit`` sends: the arguments and the keyword arguments of a call."""
    return type(obj) is tuple and len(obj) == 2 and type(obj[0]) is tuple and type(obj[1]) is dict


def _dump_quietly(obj: object, reference: Reference | None) -> None:
    _cloud_pickler(io.BytesIO(), lambda buffer: False, reference).dump(obj)


def _members(obj: object) -> list[tuple[str, object]]:
    if _is_call(obj):
        call: Any = obj
        args, kwargs = call
        named = [(f"argument {key!r}", value) for key, value in kwargs.items()]
        return [(f"argument {number}", value) for number, value in enumerate(args, 1)] + named
    if isinstance(obj, dict):
        return [(f"item {key!r:.60}", value) for key, value in list(obj.items())[:1000]]
    if isinstance(obj, (list, tuple)):
        return [(f"item {index}", value) for index, value in enumerate(obj[:1000])]
    return [(f"attribute {name!r}", value) for name, value in getattr(obj, "__dict__", {}).items()]


_inputs: list[
    list[Any]
] = []  # one entry per `loads` in progress: callables, replaced by (value,) once called


def _resolve_input(index: int, path: tuple[object, ...]) -> Any:
    inputs = _inputs[-1]
    entry = inputs[index]
    if type(entry) is not tuple:
        entry = inputs[index] = (entry(),)
    return _follow(entry[0], path)


def loads(
    parts: Sequence[Part],
    consumer: SegmentConsumer | Loan | None = None,
    inputs: Sequence[Callable[[], object]] | None = None,
) -> Any:
    """The object. Parts in segments are freed when nothing refers to their memory any more, also on an error.

    ``inputs[i]()`` is called at most once, for the first reference to input i; with ``inputs`` only one
    thread of a process may be in here. Raises whatever unpickling raises.
    """
    if len(parts) == 1 and not inputs:
        part = parts[0]
        if not isinstance(part, SegmentPart):
            return pickle.loads(part)
    buffers: list[Any] = []
    rest = iter(parts)
    try:
        for part in rest:
            if isinstance(part, SegmentPart):
                if consumer is None:
                    raise ValueError("a payload in a segment, but there are no segments here")
                buffers.append(consumer.view(part))
            else:  # an inline buffer has to be writable memory, too
                buffers.append(bytearray(part) if buffers else part)
    except BaseException:
        discard(rest, consumer)
        raise
    main = buffers.pop(0)
    if not inputs:
        return pickle.loads(main, buffers=buffers)
    _inputs.append(list(inputs))
    try:
        return pickle.loads(main, buffers=buffers)
    finally:
        _inputs.pop()


def discard(parts: Any, consumer: SegmentConsumer | Loan | None) -> None:
    """Frees the parts of a payload that nobody will load."""
    if consumer is not None:
        for part in parts:
            if isinstance(part, SegmentPart):
                consumer.discard(part)


def dump_callable(fn: Callable[..., object]) -> bytes:
    """A function for many calls: first byte 0 if a worker may reuse what it loaded, 1 if each call loads
    anew.

    It may reuse what travels by reference, and functions without anything in them that a call could change.
    Raises as ``dumps``.
    """
    from swiftlet._callables import is_unchangeable

    data, _ = _dump(fn, sys.maxsize, None)
    return (b"\x00" if is_unchangeable(fn, data) else b"\x01") + data
