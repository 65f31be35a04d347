# SPDX-License-Identifier: BSD-3-Clause
"""Workflow files are loaded and run again, with other inputs if need be."""

from __future__ import annotations

import difflib
import functools
import importlib
import inspect
import json
import os
from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from concurrent.futures import Future as StandardFuture
from typing import Any

from swiftlet._graphs._export import GET_DICT, GET_LIST


def run_workflow(path: str | os.PathLike[str], executor: Executor, /, **inputs: Any) -> StandardFuture[Any]:
    """Submits the calls of a workflow file (``export_workflow_filename``, or any in the format of the Python
    Workflow Definition) and returns the future of its result; of a dict if the file has several outputs.

    ``inputs`` replace inputs of the file by their names. The functions are imported by the names in the
    file: run only files that you would run as programs. ``ValueError`` for what is no such file,
    ``TypeError`` for an input that it has not, ``ImportError`` for a function that cannot be found.
    """
    with open(path) as file:
        try:
            content = json.load(file)
        except ValueError as error:
            raise ValueError(f"{os.fspath(path)!r} is no workflow file: {error}") from error
    try:
        workflow = _Workflow(content)
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{os.fspath(path)!r} is no workflow file: {error!r}") from error
    workflow.replace(inputs)
    return workflow.submit(executor)


class _Workflow:
    def __init__(self, content: Mapping[str, Any]) -> None:
        nodes = content["nodes"]
        self._nodes: dict[Any, Mapping[str, Any]] = {node["id"]: node for node in nodes}
        self._sources: dict[Any, dict[Any, tuple[Any, Any]]] = {ident: {} for ident in self._nodes}
        for edge in content["edges"]:
            source, target = edge["source"], edge["target"]
            if source not in self._nodes:
                raise KeyError(f"an edge begins at node {source!r}, which does not exist")
            self._sources[target][edge["targetPort"]] = (source, edge["sourcePort"])
        self._inputs = {
            node.get("name", str(ident)): ident
            for ident, node in self._nodes.items()
            if node["type"] == "input"
        }
        self._values = {ident: self._nodes[ident].get("value") for ident in self._inputs.values()}
        self._functions = {
            ident: _found(node["value"]) for ident, node in self._nodes.items() if node["type"] == "function"
        }

    def replace(self, inputs: Mapping[str, Any]) -> None:
        for name, value in inputs.items():
            if name not in self._inputs:
                close = difflib.get_close_matches(name, self._inputs, 1)
                hint = f" Did you mean {close[0]!r}?" if close else ""
                raise TypeError(
                    f"the workflow has no input {name!r}.{hint} Its inputs: {', '.join(self._inputs)}."
                )
            self._values[self._inputs[name]] = value

    def submit(self, executor: Executor) -> StandardFuture[Any]:
        given: dict[Any, Any] = dict(self._values)
        for ident in self._order():
            arguments = {
                port: _item(executor, given[source], source_port)
                for port, (source, source_port) in self._sources[ident].items()
            }
            value = self._functions[ident]
            if value is GET_LIST:
                given[ident] = [arguments[port] for port in sorted(arguments, key=_position)]
            elif value is GET_DICT:
                given[ident] = arguments
            else:
                args, kwargs = _split(value, arguments)
                given[ident] = executor.submit(value, *args, **kwargs)
        outputs = {
            node.get("name", str(ident)): _item(executor, given[source], port)
            for ident, node in self._nodes.items()
            if node["type"] == "output"
            for source, port in self._sources[ident].values()
        }
        if not outputs:
            raise ValueError("the workflow has no output")
        result = next(iter(outputs.values())) if len(outputs) == 1 else outputs
        return result if isinstance(result, StandardFuture) else executor.submit(_given, result)

    def _order(self) -> list[Any]:
        """The functions, each after those whose results it takes. ``ValueError`` if there is a circle."""
        order: list[Any] = []
        waiting = {
            ident: {source for source, _ in self._sources[ident].values() if source in self._functions}
            for ident in self._functions
        }
        while waiting:
            ready = [ident for ident, sources in waiting.items() if not sources]
            if not ready:
                raise ValueError(f"the calls {sorted(map(str, waiting))} of the workflow wait for each other")
            for ident in ready:
                del waiting[ident]
            order += ready
            for sources in waiting.values():
                sources.difference_update(ready)
        return order


def _found(name: str) -> Any:
    """The function of that name, or the name itself if it stands for a list or a dict."""
    if name == GET_LIST:
        return GET_LIST
    if name == GET_DICT:
        return GET_DICT
    parts = name.split(".")
    for count in range(len(parts) - 1, 0, -1):
        module = ".".join(parts[:count])
        try:
            found = importlib.import_module(module)
        except ModuleNotFoundError as error:
            if error.name is not None and (module == error.name or module.startswith(error.name + ".")):
                continue
            raise
        try:
            return functools.reduce(getattr, parts[count:], found)
        except AttributeError:
            break
    raise ImportError(f"the workflow names the function {name!r}, which cannot be imported here")


def _split(fn: Callable[..., Any], arguments: dict[Any, Any]) -> tuple[list[Any], dict[str, Any]]:
    """Arguments by position (what is named by a number, and what takes no name) and by name."""
    named = {str(port): value for port, value in arguments.items()}
    try:
        parameters = inspect.signature(fn).parameters
    except (TypeError, ValueError):
        parameters = {}  # type: ignore[assignment]
    extra = sorted((port for port in named if port.isdigit() and port not in parameters), key=int)
    by_position = [
        name
        for name, parameter in parameters.items()
        if name in named
        and (
            parameter.kind is inspect.Parameter.POSITIONAL_ONLY
            or (extra and parameter.kind is inspect.Parameter.POSITIONAL_OR_KEYWORD)
        )
    ]
    args = [named.pop(port) for port in [*by_position, *extra]]
    return args, named


def _item(executor: Executor, value: Any, port: str | None) -> Any:
    """A result, or the item of it that the edge names. Whether that is a key or an index is known only when
    there is a result.
    """
    return value if port is None else executor.submit(take, value, port)


def take(result: Any, port: str) -> Any:
    """``result[port]``, where ``port`` may be the text of an index or another key that is no text."""
    try:
        return result[port]
    except (KeyError, IndexError, TypeError) as error:
        if isinstance(result, Mapping):
            for key in result:
                if str(key) == port:
                    return result[key]
        elif port.lstrip("-").isdigit():
            return result[int(port)]
        raise LookupError(f"a result of type {type(result).__name__} has no item {port!r}") from error


def _given(value: Any) -> Any:
    return value


def _position(port: Any) -> tuple[int, str]:
    text = str(port)
    return (int(text), "") if text.isdigit() else (1 << 31, text)
