# SPDX-License-Identifier: BSD-3-Clause
"""May a worker call a function again that it loaded once, or could a call have changed it?"""

from __future__ import annotations

import dis
import pickle
import sys
import types
from collections.abc import Callable, Iterator

_ATOMS = (type(None), bool, int, float, complex, str, bytes, range, type(Ellipsis))
_GLOBAL_CHANGES = frozenset(dis.opmap[name] for name in ("STORE_GLOBAL", "DELETE_GLOBAL"))
_ATTRIBUTE_CHANGES = frozenset(dis.opmap[name] for name in ("STORE_ATTR", "DELETE_ATTR"))
_REFLECTION = frozenset(("globals", "exec", "eval", "__dict__", "setattr", "delattr", "vars"))
_ENDS_WITH_GLOBAL = b"\x93\x94."  # STACK_GLOBAL, MEMOIZE, STOP: the pickle is a reference and nothing else

_BY_REFERENCE = (types.FunctionType, types.BuiltinFunctionType, type)

_known: dict[bytes, bool] = {}
_KNOWN_LIMIT = 512
_KNOWN_SIZE = 8192


def travels_by_reference(fn: Callable[..., object]) -> bool:
    """True if a worker gets ``fn`` by importing its module: plain functions, builtins and classes at top
    level.
    """
    if type(fn) not in _BY_REFERENCE:
        return False
    module_name = getattr(fn, "__module__", None)
    if not isinstance(module_name, str) or module_name == "__main__":
        return False
    return getattr(sys.modules.get(module_name), fn.__qualname__, None) is fn


def by_value_modules() -> tuple[str, ...]:
    """The modules that the user registered with cloudpickle for pickling by value."""
    cloudpickle = sys.modules.get("cloudpickle")
    if cloudpickle is None:
        return ()
    registered = cloudpickle.list_registry_pickle_by_value()
    return tuple(sorted(registered)) if registered else ()


def is_unchangeable(fn: Callable[..., object], data: bytes) -> bool:
    """Whether ``fn``, whose pickle is ``data``, is the same after any call of it.

    True for what travels by reference (it is one object in the worker anyway), and for functions by value
    without closure, mutable defaults, attributes of their own or mutable globals. In doubt False: that costs
    time only.
    """
    if data.endswith(_ENDS_WITH_GLOBAL):
        return True
    known = _known.get(data)
    if known is None:
        known = isinstance(fn, types.FunctionType) and _is_pure(fn, set())
        if len(data) <= _KNOWN_SIZE:
            if len(_known) >= _KNOWN_LIMIT:
                _known.clear()
            _known[data] = known
    return known


def _is_pure(fn: types.FunctionType, seen: set[int]) -> bool:
    seen.add(id(fn))
    if fn.__closure__ or fn.__dict__:
        return False
    if not all(_is_immutable(value, seen) for value in fn.__defaults__ or ()):
        return False
    if not all(_is_immutable(value, seen) for value in (fn.__kwdefaults__ or {}).values()):
        return False
    names: set[str] = set()
    changes_attributes = False
    for code in _codes(fn.__code__):
        operations = frozenset(code.co_code[::2])
        if operations & _GLOBAL_CHANGES or not _REFLECTION.isdisjoint(code.co_names):
            return False
        changes_attributes = changes_attributes or bool(operations & _ATTRIBUTE_CHANGES)
        names.update(code.co_names)
    values = [fn.__globals__[name] for name in names if name in fn.__globals__]
    if changes_attributes and any(isinstance(value, types.FunctionType) for value in values):
        return False  # it may keep something on itself
    return all(_is_immutable(value, seen) for value in values)


def _codes(code: types.CodeType) -> Iterator[types.CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _codes(constant)


def _is_immutable(value: object, seen: set[int]) -> bool:
    if isinstance(value, types.ModuleType) or type(value) in _ATOMS or id(value) in seen:
        return True
    if type(value) in (tuple, frozenset):
        return all(_is_immutable(member, seen) for member in value)  # type: ignore[attr-defined]
    if not callable(value):
        return False
    if _travels_by_reference(value):
        return True
    return isinstance(value, types.FunctionType) and _is_pure(value, seen)


def _travels_by_reference(value: object) -> bool:
    from swiftlet._payload import _needs_cloudpickle

    try:
        data = pickle.dumps(value, 5)
    except Exception:
        return False
    return data.endswith(_ENDS_WITH_GLOBAL) and not _needs_cloudpickle(data)
