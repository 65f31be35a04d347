# SPDX-License-Identifier: BSD-3-Clause
"""Draw mode: calls are recorded and not run; at the end their graph is shown, drawn or exported."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable, Sequence
from concurrent.futures import Future as StandardFuture
from typing import Any

from swiftlet._futures import Future
from swiftlet._graphs._calls import (
    Argument,
    Call,
    Constant,
    Container,
    Foreign,
    Output,
    analysed,
    argument_of,
    content_of,
    outputs_of,
    short_name,
)
from swiftlet._graphs._export import check_exportable, export
from swiftlet._graphs._picture import Edge, Node, Picture, check_filename, shortened

_ENTRIES_SHOWN = 16


class Drawing:
    """The calls of an executor in draw mode."""

    def __init__(self, shown: bool, filename: str | None, export_filename: str | None) -> None:
        """``ValueError`` and ``GraphvizError`` for a file name that cannot be drawn to."""
        if filename is not None:
            check_filename(filename)
        self._shown = shown
        self._filename = filename
        self._export_filename = export_filename
        self._lock = threading.Lock()
        self._numbers: weakref.WeakKeyDictionary[StandardFuture[Any], int] = weakref.WeakKeyDictionary()
        self.calls: list[Call] = []

    def function(self, fn: Callable[..., Any]) -> Callable[..., Any]:
        """``fn`` as ``call`` takes it. ``TypeError`` if it cannot be called, ``ValueError`` if a file cannot
        name it.
        """
        if not callable(fn):
            raise TypeError(f"{fn!r} is not a callable object")
        if self._export_filename is not None:
            check_exportable(fn)
        return fn

    def call(self, function: Callable[..., Any], arguments: Any, resources: object) -> Future[Any]:
        """Records a call, or a chunk of ``map``; its future is done and has the result None."""
        if isinstance(arguments, tuple):
            args, kwargs = arguments
            return self._add(analysed(function, args, kwargs, self._numbers.get))
        for args in arguments:
            self._add(analysed(function, args, {}, self._numbers.get))
        future: Future[Any] = Future(name=short_name(function))
        future._finish([None] * len(arguments), None)
        return future

    def look(self) -> None:
        """Nothing here depends on the surroundings."""

    def batched(self, inputs: Sequence[StandardFuture[Any]], n: int) -> list[Future[Any]]:
        """Records the groups of ``batched``: which input will be in which is known only when they run."""
        if self._export_filename is not None:
            raise ValueError("batched groups results as they come: a workflow file cannot express that")
        given: Argument = argument_of(list(inputs), self._numbers.get)
        return [
            self._add(Call(self.batched, "batched", (("futures", given),)))
            for _ in range(-(-len(inputs) // n))
        ]

    def _add(self, call: Call) -> Future[Any]:
        future: Future[Any] = Future(name=call.name)
        with self._lock:
            self._numbers[future] = len(self.calls)
            self.calls.append(call)
        future._finish(None, None)
        return future

    def picture(self) -> Picture:
        """The graph of the calls: a box for each, a circle for each value that is given to one."""
        return _Painter().paint(self.calls)

    def finish(self) -> None:
        """Shows, draws or exports what was recorded."""
        if self._export_filename is not None:
            export(self.calls, self._export_filename)
            return
        picture = self.picture()
        if self._filename is not None:
            picture.save(self._filename)
        elif self._shown:
            picture.show()


class _Painter:
    def __init__(self) -> None:
        self._picture = Picture()
        self._constants: dict[object, str] = {}

    def paint(self, calls: list[Call]) -> Picture:
        for number, call in enumerate(calls):
            self._picture.nodes.append(Node(f"c{number}", call.name))
        for number, call in enumerate(calls):
            for parameter, argument in call.arguments:
                self._connect(argument, f"c{number}", parameter)
        return self._picture

    def _connect(self, argument: Argument, target: str, label: str) -> None:
        edges = self._picture.edges
        if isinstance(argument, Constant):
            edges.append(Edge(self._constant(argument.value), target, label))
        elif isinstance(argument, Output):
            selected = "".join(f"[{key!r}]" for key in argument.path)
            edges.append(Edge(f"c{argument.call}", target, label + selected))
        elif isinstance(argument, Foreign):
            edges.append(Edge(self._node("future", "circle"), target, label))
        elif isinstance(argument, Container):
            box = self._node(shortened(_contents(argument), 40), "box")
            for key, entry in argument.entries:
                if not isinstance(entry, Constant) or len(argument.entries) <= _ENTRIES_SHOWN:
                    self._connect(entry, box, str(key))
            edges.append(Edge(box, target, label))
        else:
            box = self._node(short_name(type(argument.value)), "box")
            for output in outputs_of(argument):
                self._connect(output, box, "")
            edges.append(Edge(box, target, label))

    def _constant(self, value: Any) -> str:
        key = content_of(value)
        ident = self._constants.get(key)
        if ident is None:
            ident = self._constants[key] = self._node(shortened(repr(value)), "circle")
        return ident

    def _node(self, label: str, shape: str) -> str:
        ident = f"v{len(self._picture.nodes)}"
        self._picture.nodes.append(Node(ident, label, shape))
        return ident


def _contents(container: Container) -> str:
    """The container with a ``$`` for each future."""
    entries = [repr(entry.value) if isinstance(entry, Constant) else "$" for _, entry in container.entries]
    if container.kind == "dict":
        named = zip((key for key, _ in container.entries), entries)
        return "{" + ", ".join(f"{key!r}: {entry}" for key, entry in named) + "}"
    inside = ", ".join(entries)
    return f"[{inside}]" if container.kind == "list" else f"({inside})"
