# SPDX-License-Identifier: BSD-3-Clause
"""Workflows as files in the format of the Python Workflow Definition, version 0.1.0."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from typing import Any

from swiftlet._graphs._calls import Argument, Call, Constant, Container, Foreign, Output, content_of

VERSION = "0.1.0"
GET_LIST = "python_workflow_definition.shared.get_list"
GET_DICT = "python_workflow_definition.shared.get_dict"


def export(calls: list[Call], path: str | os.PathLike[str]) -> None:
    """Writes the calls to a file. Raises as ``definition``."""
    text = json.dumps(definition(calls), indent=4)
    with open(path, "w") as file:
        file.write(text)


def definition(calls: list[Call]) -> dict[str, Any]:
    """The calls as a workflow, whose result is that of the last one.

    ``ValueError`` if there is none, ``TypeError`` for a value that JSON cannot express.
    """
    if not calls:
        raise ValueError("no call was submitted: there is no workflow to export")
    return _Writer(calls).definition()


def check_exportable(fn: Callable[..., Any]) -> None:
    """``ValueError`` if a file cannot name the function, so that nobody could run what is in it."""
    module, name = getattr(fn, "__module__", None), getattr(fn, "__qualname__", None)
    if not isinstance(module, str) or not isinstance(name, str) or "<" in name:
        raise ValueError(
            f"a workflow file names functions, and {fn!r} has no name that can be imported; define it with "
            "def at the top level of a module"
        )


class _Writer:
    def __init__(self, calls: list[Call]) -> None:
        self._calls = calls
        self._nodes: list[dict[str, Any]] = []
        self._edges: list[dict[str, Any]] = []
        self._inputs: dict[object, int] = {}
        self._names: set[str] = set()

    def definition(self) -> dict[str, Any]:
        for call in self._calls:
            self._node("function", value=f"{call.fn.__module__}.{call.fn.__qualname__}")
        for number, call in enumerate(self._calls):
            for parameter, argument in call.arguments:
                self._connect(argument, number, parameter, parameter)
        result = self._node("output", name="result")
        self._edge(result, None, len(self._calls) - 1, None)
        return {"version": VERSION, "nodes": self._nodes, "edges": self._edges}

    def _connect(self, argument: Argument, target: int, port: str, name: str) -> None:
        """``name``: what an input is called that is made for this argument."""
        if isinstance(argument, Constant):
            self._edge(target, port, self._input(argument.value, name), None)
        elif isinstance(argument, Output):
            if len(argument.path) > 1:
                raise TypeError(f"{name}: an item of an item of a result cannot be expressed in the file")
            self._edge(target, port, argument.call, str(argument.path[0]) if argument.path else None)
        elif isinstance(argument, Container):
            is_dict = argument.kind == "dict"
            helper = self._node("function", value=GET_DICT if is_dict else GET_LIST)
            self._edge(target, port, helper, None)
            for key, entry in argument.entries:
                if is_dict and not isinstance(key, str):
                    raise TypeError(f"{name}: the file allows only texts as keys of a dict, not {key!r}")
                self._connect(entry, helper, str(key), key if is_dict else f"{name}_{key}")
        elif isinstance(argument, Foreign):
            raise TypeError(f"{name}: a future of another executor cannot be expressed in the file")
        else:
            raise TypeError(
                f"{name}: futures inside of a {type(argument.value).__name__} cannot be expressed in the "
                "file; put them into a list or a dict"
            )

    def _input(self, value: Any, name: str) -> int:
        value = _as_json(value, name)
        key = content_of(value)
        number = self._inputs.get(key)
        if number is None:
            number = self._inputs[key] = self._node("input", value=value, name=self._unused(name))
        return number

    def _unused(self, name: str) -> str:
        """Inputs are told apart by their names, so that they can be given other values."""
        wanted, count = name, 1
        while name in self._names:
            count += 1
            name = f"{wanted}_{count}"
        self._names.add(name)
        return name

    def _node(self, kind: str, **content: Any) -> int:
        self._nodes.append({"id": len(self._nodes), "type": kind, **content})
        return len(self._nodes) - 1

    def _edge(self, target: int, port: str | None, source: int, source_port: str | None) -> None:
        self._edges.append(
            {"target": target, "targetPort": port, "source": source, "sourcePort": source_port}
        )


def _as_json(value: Any, name: str) -> Any:
    """The value with NumPy's arrays as lists and its numbers as numbers. ``TypeError`` for what JSON has
    not.
    """
    if value is None or type(value) in (bool, int, float, str):
        return value
    if isinstance(value, dict):
        for key in value:
            if not isinstance(key, str):
                raise TypeError(f"{name}: the file allows only texts as keys of a dict, not {key!r}")
        return {key: _as_json(entry, name) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [_as_json(entry, name) for entry in value]
    if hasattr(value, "tolist") and type(value).__module__.partition(".")[0] == "numpy":
        return _as_json(value.tolist(), name)
    if isinstance(value, (bool, int, float, str)):
        return json.loads(json.dumps(value))
    raise TypeError(f"{name}: a {type(value).__name__} cannot be expressed in the file, which is JSON")
