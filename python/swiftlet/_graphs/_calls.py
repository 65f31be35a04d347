# SPDX-License-Identifier: BSD-3-Clause
"""A call as a value: its function, and what is given to which of its parameters."""

from __future__ import annotations

import contextlib
import inspect
import pickle
from collections.abc import Callable, Iterator
from concurrent.futures import Future as StandardFuture
from dataclasses import dataclass
from io import BytesIO
from typing import Any, Union

import cloudpickle

from swiftlet._selectors import FutureSelector


@dataclass(frozen=True, eq=False)
class Constant:
    """An argument that is given as it is."""

    value: Any


@dataclass(frozen=True)
class Output:
    """The result of another call, or (``path``: keys from the outside in) an item of it."""

    call: int
    path: tuple[Any, ...] = ()


@dataclass(frozen=True)
class Foreign:
    """A future that none of the calls gave."""


@dataclass(frozen=True, eq=False)
class Container:
    """A list, tuple or dict that has futures in it."""

    kind: str
    entries: tuple[tuple[Any, Argument], ...]


@dataclass(frozen=True, eq=False)
class Opaque:
    """Any other object that has futures in it."""

    value: Any
    found: tuple[Output | Foreign, ...]


Argument = Union[Constant, Output, Foreign, Container, Opaque]
NumberOf = Callable[["StandardFuture[Any]"], Union[int, None]]
"""The number of the call that a future belongs to, or None."""


@dataclass(frozen=True, eq=False)
class Call:
    """One call. ``arguments``: parameter names, or positions where there is no name, with what is given."""

    fn: Callable[..., Any]
    name: str
    arguments: tuple[tuple[str, Argument], ...]


def analysed(
    fn: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any], number_of: NumberOf
) -> Call:
    """The call of ``fn`` with these arguments. Futures are found wherever they are."""
    named = tuple(
        (name, argument_of(value, number_of)) for name, value in parameters_of(fn, args, kwargs).items()
    )
    return Call(fn, short_name(fn), named)


def parameters_of(fn: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
    """Arguments by the name of their parameter, by position where it has none (``*args``, and callables
    without a signature).
    """
    try:
        signature = inspect.signature(fn)
        bound = signature.bind(*args, **kwargs)
    except (TypeError, ValueError):
        return {**{str(position): value for position, value in enumerate(args)}, **kwargs}
    found: dict[str, Any] = {}
    for name, value in bound.arguments.items():
        kind = signature.parameters[name].kind
        if kind is inspect.Parameter.VAR_POSITIONAL:
            found.update((str(len(found) + index), extra) for index, extra in enumerate(value))
        elif kind is inspect.Parameter.VAR_KEYWORD:
            found.update(value)
        else:
            found[name] = value
    return found


def argument_of(value: Any, number_of: NumberOf) -> Argument:
    """What is given to a parameter."""
    if isinstance(value, StandardFuture):
        return _output_of(value, number_of)
    kind = type(value)
    if kind in (int, float, str, bytes, bool, complex, type(None)):
        return Constant(value)
    if kind in (list, tuple, dict):
        items = value.items() if kind is dict else enumerate(value)
        entries = tuple((key, argument_of(entry, number_of)) for key, entry in items)
        if all(isinstance(entry, Constant) for _, entry in entries):
            return Constant(value)
        return Container(kind.__name__, entries)
    found = tuple(_output_of(future, number_of) for future in _futures_in(value))
    return Opaque(value, found) if found else Constant(value)


def outputs_of(argument: Argument) -> Iterator[Output | Foreign]:
    """All results of calls in an argument, in their order."""
    if isinstance(argument, (Output, Foreign)):
        yield argument
    elif isinstance(argument, Container):
        for _, entry in argument.entries:
            yield from outputs_of(entry)
    elif isinstance(argument, Opaque):
        yield from argument.found


def short_name(fn: Callable[..., Any]) -> str:
    """``__name__``, or that of the class."""
    name = getattr(fn, "__name__", None)
    return name if isinstance(name, str) else type(fn).__name__


def _output_of(future: StandardFuture[Any], number_of: NumberOf) -> Output | Foreign:
    path: list[Any] = []
    while isinstance(future, FutureSelector):
        path.insert(0, future._selector)
        future = future._future
    number = number_of(future)
    return Foreign() if number is None else Output(number, tuple(path))


def _futures_in(value: Any) -> list[StandardFuture[Any]]:
    """The futures in an object of any class: those that would be pickled with it."""
    finder = _Finder(BytesIO(), protocol=5, buffer_callback=lambda buffer: False)
    with contextlib.suppress(Exception):  # what cannot be pickled is told by submit
        finder.dump(value)
    return finder.found


class _Finder(cloudpickle.Pickler):  # type: ignore[misc,unused-ignore]
    """Pickles to nowhere and keeps the futures that it meets."""

    def __init__(self, file: BytesIO, protocol: int, buffer_callback: Any) -> None:
        super().__init__(file, protocol=protocol, buffer_callback=buffer_callback)
        self.found: list[StandardFuture[Any]] = []

    def persistent_id(self, obj: Any) -> Any:
        if not isinstance(obj, StandardFuture):
            return None
        self.found.append(obj)
        return len(self.found)


def content_of(value: Any) -> object:
    """A key that equal values of one type share; 1 and "1" do not."""
    try:
        return type(value), pickle.dumps(value, 5)
    except Exception:
        return id(value)
