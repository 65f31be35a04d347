# SPDX-License-Identifier: BSD-3-Clause
"""The worker's end: calls come as dicts, results go back as dicts."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, Protocol

from swiftlet._interface._channel import (
    Channel,
    interface_connect,
    interface_receive,
    interface_send,
    interface_shutdown,
)
from swiftlet._worker import _errorlog
from swiftlet._worker._presets import presettable, with_presets


class Together(Protocol):
    """Several processes that run each call together."""

    def shared(self, value: Any) -> Any:
        """What the first one was given."""

    def call(self, fn: Callable[[], Any]) -> Any:
        """What each one returns, by number. Raises if one of them raises."""


class Alone:
    """One process."""

    def shared(self, value: Any) -> Any:
        """Itself."""
        return value

    def call(self, fn: Callable[[], Any]) -> Any:
        """What it returns."""
        return fn()


def connected(arguments: list[str]) -> Channel:
    """The connection that the command line names: ``[--host H] --zmqport N``."""
    port = option(arguments, "--zmqport")
    if port is None:
        raise SystemExit("error: the command line lacks --zmqport, the number of the socket to connect to")
    return interface_connect(option(arguments, "--host") or "localhost", port)[1]


def option(arguments: list[str], name: str) -> str | None:
    """What follows ``name``."""
    return arguments[arguments.index(name) + 1] if name in arguments[:-1] else None


def serve(channel: Channel | None, arguments: list[str], together: Together | None = None) -> None:
    """Answers one dict after the other, until ``shutdown`` or the end of the connection.

    ``{"init": True, "fn", …}``: the dict that the function returns holds arguments for later calls.
    ``{"fn", "args", "kwargs", "error_log_file"}``: answered by ``{"result"}`` or ``{"error"}``.
    """
    together = together or Alone()
    presets: dict[str, Any] = {"executorlib_worker_id": int(option(arguments, "--worker-id") or 0)}
    while True:
        message = together.shared(_next(channel))
        if message.get("shutdown"):
            interface_send(channel, {"result": True})
            interface_shutdown(channel, None)
            return
        fn, args, kwargs = message["fn"], message.get("args", ()), message.get("kwargs", {})
        kwargs = with_presets(kwargs, presettable(fn), presets)
        answer: dict[str, Any]
        try:
            if message.get("init"):
                presets.update(fn(*args, **kwargs))
                answer = {"result": True}
            else:
                answer = {"result": together.call(functools.partial(fn, *args, **kwargs))}
        except Exception as error:
            log = message.get("error_log_file")
            if log is not None and channel is not None:
                _errorlog.append(log, fn, args, kwargs, error)
            answer = {"error": error}
        try:
            _answer(channel, answer)
        except ConnectionError:
            return  # nobody is left to work for


def _answer(channel: Channel | None, answer: dict[str, Any]) -> None:
    try:
        interface_send(channel, answer)
    except ConnectionError:
        raise
    except Exception as error:
        what = "result" if "result" in answer else "exception"
        interface_send(channel, {"error": TypeError(f"the {what} cannot be sent back: {error}")})


def _next(channel: Channel | None) -> dict[str, Any]:
    try:
        return interface_receive(channel)
    except (EOFError, ConnectionError):
        return {"shutdown": True}  # nobody is left to work for
