# SPDX-License-Identifier: BSD-3-Clause
"""The digests of functions and classes.

What travels by reference is imported in the worker: it is what its module's source says now (``_keysource``).
What travels by value is what it is in this process: its code without names of files and numbers of lines, its
defaults, closure, and the globals it names.
"""

from __future__ import annotations

import dis
import inspect
import types
from collections.abc import Iterator
from typing import Any, NamedTuple

from swiftlet import _keysource
from swiftlet._callables import by_value_modules, travels_by_reference
from swiftlet._keyvalues import Digester, digest_of

_GLOBAL_READS = frozenset(("LOAD_GLOBAL", "LOAD_NAME", "STORE_GLOBAL", "DELETE_GLOBAL"))
_NOT_OF_A_CLASS = frozenset(
    (
        "__abstractmethods__",
        "__annotate_func__",
        "__annotations_cache__",
        "__dataclass_fields__",
        "__dict__",
        "__doc__",
        "__firstlineno__",
        "__module__",
        "__slotnames__",
        "__static_attributes__",
        "__weakref__",
        "_abc_impl",
    )
)
_CODES_KEPT = 2048


class _Code(NamedTuple):
    """What is the same for each look at a code object."""

    code: types.CodeType
    digest: bytes
    names: tuple[str, ...]
    """The globals that it and the code in it read."""
    attributes: frozenset[str]
    """All names in it, those of attributes among them."""
    imports: tuple[tuple[str, tuple[str, ...]], ...]
    """What it imports: modules, and what is taken from each."""


_codes: dict[int, _Code] = {}


def of_function(digester: Digester, fn: types.FunctionType) -> bytes:
    """A function written in Python."""
    module: Any = getattr(fn, "__module__", None)
    if travels_by_reference(fn) and module not in by_value_modules():
        wrapped = getattr(fn, "__wrapped__", None)
        digest = _keysource.of_definition(digester, module, fn.__qualname__)
        return (
            digest if wrapped is None else digest_of("wrapper", digest, digester.of(wrapped, "what it wraps"))
        )
    code = _code(fn.__code__)
    digester.found.append((f"function {fn.__qualname__}", f"code {code.digest.hex()[:12]}"))
    parts = [
        code.digest,
        digester.of(fn.__defaults__, "its defaults"),
        _by_name(digester, fn.__kwdefaults__ or {}, "default"),
    ]
    for name, cell in zip(fn.__code__.co_freevars, fn.__closure__ or ()):
        try:
            parts.append(digester.of(cell.cell_contents, f"closure variable {name!r}"))
        except ValueError:  # empty
            parts.append(b"")
    named = {name: fn.__globals__[name] for name in code.names if name in fn.__globals__}
    parts.append(_by_name(digester, named, "global"))
    for value in named.values():
        if isinstance(value, types.ModuleType):
            parts += _keysource.of_submodules(digester, value, code.attributes)
    parts += [_keysource.of_import(digester, name, taken) for name, taken in code.imports]
    if fn.__dict__:
        own = {name: value for name, value in fn.__dict__.items() if name != "__wrapped__"}
        parts.append(_by_name(digester, own, "attribute"))
    return digest_of("function", *parts)


def of_class(digester: Digester, cls: type) -> bytes:
    """A class: by its module where that is imported in the worker, else by its members."""
    module = cls.__module__
    if module != "__main__" and module not in by_value_modules() and "<locals>" not in cls.__qualname__:
        return _keysource.of_definition(digester, module, cls.__qualname__)
    digester.found.append((f"class {cls.__qualname__}", "its members"))
    members = {}
    for name, value in cls.__dict__.items():
        if name not in _NOT_OF_A_CLASS and not isinstance(
            value, (types.GetSetDescriptorType, types.MemberDescriptorType)
        ):
            members[name] = _unwrapped(value)
    bases = [digester.of(base) for base in cls.__bases__]
    if type(cls) is not type:
        bases.append(digester.of(type(cls), "its metaclass"))
    return digest_of("class", cls.__qualname__.encode(), *bases, _by_name(digester, members, "member"))


def _unwrapped(value: Any) -> Any:
    if isinstance(value, (staticmethod, classmethod)):
        return (type(value).__name__, value.__func__)
    if isinstance(value, property):
        return ("property", value.fget, value.fset, value.fdel)
    return value


def of_code(digester: Digester, code: types.CodeType) -> bytes:
    """A code object by itself."""
    return _code(code).digest


def _by_name(digester: Digester, values: dict[str, Any], what: str) -> bytes:
    parts = []
    for name in sorted(values):
        parts += [name.encode(), digester.of(values[name], f"{what} {name!r}")]
    return digest_of("by name", *parts)


def _code(code: types.CodeType) -> _Code:
    known = _codes.get(id(code))
    if known is not None:
        return known
    if len(_codes) >= _CODES_KEPT:
        _codes.clear()
    names: set[str] = set()
    attributes: set[str] = set()
    imports: set[tuple[str, tuple[str, ...]]] = set()
    for part in _nested(code):
        attributes.update(part.co_names)
        taken: Any = None
        for instruction in dis.get_instructions(part):
            if instruction.opname in _GLOBAL_READS and isinstance(instruction.argval, str):
                names.add(instruction.argval)
            elif instruction.opname == "IMPORT_NAME":
                imports.add((instruction.argval, taken if isinstance(taken, tuple) else ()))
            elif instruction.opname == "LOAD_CONST":  # the last one before is what is taken from the module
                taken = instruction.argval
    entry = _codes[id(code)] = _Code(
        code, _code_digest(code), tuple(sorted(names)), frozenset(attributes), tuple(sorted(imports))
    )
    return entry


def _nested(code: types.CodeType) -> Iterator[types.CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _nested(constant)


def _code_digest(code: types.CodeType) -> bytes:
    plain = Digester()
    constants = [
        _code_digest(constant) if isinstance(constant, types.CodeType) else plain.of(constant)
        for constant in code.co_consts
    ]
    numbers = (
        code.co_argcount,
        code.co_posonlyargcount,
        code.co_kwonlyargcount,
        code.co_flags & ~inspect.CO_NESTED,
    )
    words = (code.co_names, code.co_varnames, code.co_freevars, code.co_cellvars)
    table = getattr(code, "co_exceptiontable", b"")
    return digest_of("code", code.co_code, table, plain.of(numbers), plain.of(words), *constants)
