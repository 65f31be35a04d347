# SPDX-License-Identifier: BSD-3-Clause
"""Objects → digests that depend on what an object is, never on where it lies or when it was made.

A digest is built from those of an object's parts. Pickles are not used: those of functions differ from run to
run. What has no stable form is named (``unstable``), and its digest is one that never comes again.
"""

from __future__ import annotations

import copyreg
import enum
import hashlib
import os
import struct
import types
from collections.abc import Callable, Iterable
from concurrent.futures import Future as StandardFuture
from typing import Any, Optional

Reference = Callable[[object], Optional[bytes]]

_DIGEST_SIZE = 20
_DEPTH_LIMIT = 400
_INSTANCES_BY_NAME = (type(None), type(Ellipsis), type(NotImplemented))


def digest_of(tag: str, *parts: bytes) -> bytes:
    """The digest of a thing of kind ``tag`` with these parts, each of which is told from its neighbours."""
    sha = hashlib.sha256(tag.encode())
    for part in parts:
        sha.update(struct.pack("<Q", len(part)))
        sha.update(part)
    return sha.digest()[:_DIGEST_SIZE]


class Digester:
    """Digests the objects of one call. ``reference`` gives the digest of what stands for something else (a
    future for its value).
    """

    def __init__(self, reference: Reference | None = None, fixed_sources: bool = False) -> None:
        self._reference = reference
        self.fixed_sources = fixed_sources
        """Modules are as they were when they were first looked at: warm workers have imported them."""
        self.unstable: list[str] = []
        """What has no stable form, and why."""
        self.found: list[tuple[str, str]] = []
        """Code and modules that went in: (what, how)."""
        self._known: dict[int, tuple[object, bytes]] = {}
        self._open: dict[int, int] = {}
        self._path: list[str] = []

    def of(self, obj: Any, name: str = "") -> bytes:
        """The digest of an object; ``name`` says what it is to the one that has it, for messages."""
        kind = type(obj)
        simple = _SIMPLE.get(kind)
        if simple is not None:
            return simple(obj)
        ident = id(obj)
        known = self._known.get(ident)
        if known is not None:
            return known[1]
        depth = self._open.get(ident)
        if depth is not None:
            return digest_of("again", struct.pack("<q", len(self._open) - depth))
        if len(self._open) > _DEPTH_LIMIT:
            return self.no_form(obj, "it is nested too deeply")
        self._open[ident] = len(self._open)
        self._path.append(name or kind.__name__)
        try:
            digest = self._composite(obj, kind)
        finally:
            self._path.pop()
            del self._open[ident]
        self._known[ident] = (obj, digest)
        return digest

    def all(self, objects: Iterable[Any], name: str = "item") -> list[bytes]:
        """The digests of several objects."""
        return [self.of(obj, f"{name} {index}") for index, obj in enumerate(objects)]

    def no_form(self, obj: object, why: str) -> bytes:
        """For what has no stable form: a digest that never comes again."""
        where = " of ".join(reversed(self._path)) or type(obj).__name__
        self.unstable.append(f"{where} ({type(obj).__module__}.{type(obj).__qualname__}): {why}")
        return os.urandom(_DIGEST_SIZE)

    def _composite(self, obj: Any, kind: type) -> bytes:
        if self._reference is not None and isinstance(obj, StandardFuture):
            digest = self._reference(obj)
            return digest if digest is not None else self.no_form(obj, "its value is not known yet")
        if kind is tuple or kind is list:
            return digest_of(kind.__name__, *self.all(obj))
        if kind is dict:
            return digest_of("dict", *self._items(obj.items()))
        if kind is set or kind is frozenset:
            return digest_of(kind.__name__, *sorted(self.all(obj)))
        if isinstance(obj, types.FunctionType):
            from swiftlet import _keycode

            return _keycode.of_function(self, obj)
        if isinstance(obj, type):
            from swiftlet import _keycode

            return _keycode.of_class(self, obj)
        if isinstance(obj, types.ModuleType):
            from swiftlet import _keysource

            return _keysource.of_module(self, obj)
        if isinstance(obj, types.MethodType):
            return digest_of("method", self.of(obj.__func__), self.of(obj.__self__))
        if isinstance(
            obj, (types.BuiltinFunctionType, types.MethodDescriptorType, types.WrapperDescriptorType)
        ):
            return self._builtin(obj)
        if isinstance(obj, types.CodeType):
            from swiftlet import _keycode

            return _keycode.of_code(self, obj)
        if isinstance(obj, enum.Enum):
            return digest_of("enum", self.of(kind), obj.name.encode())
        if kind.__module__ == "numpy":
            found = _numpy(self, obj, kind)
            if found is not None:
                return found
        return self._by_reduction(obj, kind)

    def _items(self, items: Iterable[tuple[Any, Any]]) -> list[bytes]:
        digests = []
        for key, value in items:
            digests.append(self.of(key, "a key"))
            digests.append(self.of(value, f"[{key!r:.40}]" if type(key) in _SIMPLE else "a value"))
        return digests

    def _builtin(self, obj: Any) -> bytes:
        owner = getattr(obj, "__self__", None)
        name = obj.__qualname__.encode()
        if owner is None or isinstance(owner, types.ModuleType):
            from swiftlet import _keysource

            module: Any = getattr(obj, "__module__", None) or getattr(owner, "__name__", "builtins")
            return digest_of("builtin", _keysource.of_name(self, module), name)
        return digest_of("builtin method", self.of(owner), name)

    def _by_reduction(self, obj: Any, kind: type) -> bytes:
        """What an object says of itself to be made again: class, arguments, state, items."""
        try:
            reducer = copyreg.dispatch_table.get(kind)
            reduced: Any = reducer(obj) if reducer is not None else obj.__reduce_ex__(4)
        except Exception as error:
            return self.no_form(obj, str(error) or type(error).__name__)
        if isinstance(reduced, str):
            from swiftlet import _keysource

            module = getattr(obj, "__module__", None) or kind.__module__
            return digest_of("named", _keysource.of_name(self, module), reduced.encode())
        make, args, *rest = reduced
        rest += [None] * (4 - len(rest))
        state, items, pairs = rest[0], rest[1], rest[2]
        parts = [self.of(make), self.of(tuple(args))]
        if isinstance(state, dict):
            parts += self._items(sorted(state.items(), key=lambda item: str(item[0])))
        else:
            parts.append(self.of(state, "its state"))
        if items is not None:
            parts.append(digest_of("items", *self.all(items)))
        if pairs is not None:
            parts.append(digest_of("pairs", *self._items(pairs)))
        return digest_of("object", *parts)


def _numpy(digester: Digester, obj: Any, kind: type) -> bytes | None:
    """Arrays and scalars by their bytes; None for what else numpy has."""
    import numpy

    if kind is numpy.ndarray:
        shape = repr(obj.shape).encode()
        if obj.dtype.hasobject:
            return digest_of("object array", shape, *digester.all(obj.ravel().tolist()))
        order = b"F" if obj.flags.f_contiguous and not obj.flags.c_contiguous else b"C"
        flat: Any = numpy.ascontiguousarray(obj).reshape(-1)
        sha = hashlib.sha256(memoryview(flat.view(numpy.uint8)) if obj.size else b"")
        return digest_of(
            "array", repr(obj.dtype.descr).encode(), obj.dtype.str.encode(), shape, order, sha.digest()
        )
    if isinstance(obj, numpy.generic) and not obj.dtype.hasobject:
        return digest_of("scalar", repr(obj.dtype.descr).encode(), obj.dtype.str.encode(), obj.tobytes())
    if isinstance(obj, numpy.dtype):
        return digest_of("dtype", repr(obj.descr).encode(), obj.str.encode())
    return None


def _simple(tag: str, encode: Callable[[Any], bytes]) -> Callable[[Any], bytes]:
    return lambda obj: digest_of(tag, encode(obj))


_SIMPLE: dict[type, Callable[[Any], bytes]] = {
    bool: _simple("bool", lambda obj: b"\1" if obj else b"\0"),
    int: _simple("int", lambda obj: b"%d" % obj if abs(obj) < 1 << 4000 else hex(obj).encode()),
    float: _simple("float", lambda obj: struct.pack("<d", obj)),
    complex: _simple("complex", lambda obj: struct.pack("<dd", obj.real, obj.imag)),
    str: _simple("str", lambda obj: obj.encode("utf-8", "surrogatepass")),
    bytes: _simple("bytes", lambda obj: obj),
    bytearray: _simple("bytearray", bytes),
    range: _simple("range", lambda obj: repr(obj).encode()),
    **{kind: _simple(kind.__name__, lambda _: b"") for kind in _INSTANCES_BY_NAME},
}
