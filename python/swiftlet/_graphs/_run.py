# SPDX-License-Identifier: BSD-3-Clause
"""The graph of a real run: its calls with their states and durations, from the engine's events."""

from __future__ import annotations

import os
import threading
import time
import weakref
from collections.abc import Callable
from concurrent.futures import Future as StandardFuture
from dataclasses import dataclass, field
from typing import Any, final

from swiftlet._events import Event, EventLog
from swiftlet._futures import Future
from swiftlet._graphs._calls import Foreign, analysed, outputs_of
from swiftlet._graphs._picture import Edge, Node, Picture

_DRAIN_AFTER = 4096
_SUCCESS, _CANCELLED = 0, 3


@final
@dataclass
class CallState:
    """A call of a run."""

    number: int
    """The number of the task."""
    name: str
    state: str = "waiting"
    """``waiting``, ``running``, ``done``, ``failed`` or ``cancelled``."""
    inputs: list[tuple[int | None, str]] = field(default_factory=list)
    """(number of the call whose result it takes, parameter); None: a future from elsewhere."""
    started: float | None = None
    """Seconds since the epoch."""
    duration: float | None = None
    """Seconds it has run: so far, or until it ended."""
    attempt: int = 0
    worker: int = 0


@final
class RunGraph:
    """The calls of an executor since ``graph()`` was first called, as they are now.

    Each property and method looks anew. In a notebook the object shows itself as a picture.
    """

    def __init__(self, events: EventLog, settle: Callable[[], None]) -> None:
        """``settle``: returns when all that has happened so far is among the events."""
        self._events = events
        self._settle = settle
        self._lock = threading.Lock()
        self._calls: dict[int, CallState] = {}
        self._numbers: weakref.WeakKeyDictionary[StandardFuture[Any], int] = weakref.WeakKeyDictionary()

    def adopt(self, future: Future[Any]) -> None:
        """Takes in a call that was submitted before: what it waits for is not known any more."""
        with self._lock:
            state = "running" if future.running() else "waiting"
            self._calls.setdefault(future._ident, CallState(future._ident, future._name, state))
            self._numbers[future] = future._ident

    def add(
        self, future: Future[Any], fn: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> None:
        """Takes in a call that was just submitted."""
        call = analysed(fn, args, kwargs, self._numbers.get)
        node = CallState(future._ident, future._name)
        for parameter, argument in call.arguments:
            for output in outputs_of(argument):
                if isinstance(output, Foreign):
                    node.inputs.append((None, parameter))
                else:
                    path = "".join(f"[{key!r}]" for key in output.path)
                    node.inputs.append((output.call, parameter + path))
        with self._lock:
            self._calls[node.number] = node
            self._numbers[future] = node.number
            if self._events.waiting() > _DRAIN_AFTER:
                self._drain()

    @property
    def calls(self) -> list[CallState]:
        """The calls in the order in which they were submitted."""
        self._settle()
        now = time.time()
        with self._lock:
            self._drain()
            for call in self._calls.values():
                if call.state == "running" and call.started is not None:
                    call.duration = max(0.0, now - call.started)
            return [CallState(**vars(call)) for call in self._calls.values()]

    def picture(self) -> Picture:
        """The graph as it is now."""
        calls = self.calls
        known = {call.number for call in calls}
        picture = Picture([Node(f"c{call.number}", _label(call), state=call.state) for call in calls])
        for call in calls:
            for index, (source, label) in enumerate(call.inputs):
                ident = f"c{source}"
                if source not in known:
                    ident = f"f{call.number}_{index}"
                    picture.nodes.append(Node(ident, "future", "circle"))
                picture.edges.append(Edge(ident, f"c{call.number}", label))
        return picture

    def dot(self) -> str:
        """See ``save``; as text in graphviz' language."""
        return self.picture().dot()

    def mermaid(self) -> str:
        """See ``save``; as text in Mermaid's language."""
        return self.picture().mermaid()

    def svg(self) -> str:
        """See ``save``. ``GraphvizError`` (a ``RuntimeError``) if graphviz is not installed."""
        return self.picture().svg()

    def save(self, filename: str | os.PathLike[str]) -> None:
        """Writes a picture (``.svg``, ``.pdf``, ``.png``, …: takes graphviz) or text (``.dot``, ``.mmd``)."""
        self.picture().save(filename)

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        return self.picture()._repr_mimebundle_(include, exclude)

    def _drain(self) -> None:
        for event in self._events.take():
            call = self._calls.get(event.task)
            if call is not None:
                _apply(event, call)


def _apply(event: Event, call: CallState) -> None:
    if event.kind == "started":
        call.state, call.started = "running", event.time
        call.attempt, call.worker = event.attempt, event.worker
    elif event.kind == "ended":
        outcome = event.details.get("outcome")
        call.state = "done" if outcome == _SUCCESS else "cancelled" if outcome == _CANCELLED else "failed"
        if call.started is not None:
            call.duration = max(0.0, event.time - call.started)


def _label(call: CallState) -> str:
    if call.duration is None:
        return f"{call.name}\n{call.state}"
    again = f", attempt {call.attempt}" if call.attempt > 1 else ""
    return f"{call.name}\n{call.state}, {_seconds(call.duration)}{again}"


def _seconds(duration: float) -> str:
    if duration < 1e-3:
        return f"{duration * 1e6:.0f} µs"
    if duration < 1:
        return f"{duration * 1e3:.3g} ms"
    return f"{duration:.3g} s" if duration < 100 else f"{duration / 60:.3g} min"
