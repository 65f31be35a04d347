# SPDX-License-Identifier: BSD-3-Clause
"""The key of a call: equal for equal calls in every run and on every machine, different when the result may
be.

What goes in: the function's code and what it refers to, the arguments, ``cores``, the ``init_function``, and
the version of Python. What does not: paths, line numbers, the order of keyword arguments and of sets.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, final

from swiftlet._errors import ResourceError
from swiftlet._keysource import PYTHON
from swiftlet._keyvalues import Digester, Reference, digest_of

KEY_LENGTH_LIMIT = 200
_NAME_LENGTH_LIMIT = 60
_NOT_IN_A_NAME = re.compile(r"[^A-Za-z0-9_.-]+")


class CallKey(NamedTuple):
    """The key of one call."""

    text: str
    unstable: tuple[str, ...]
    """What has no stable form: the key never comes again."""


@final
class KeyExplanation(NamedTuple):
    """What went into the key of a call, see ``explain_key``."""

    key: str
    parts: tuple[tuple[str, str], ...]
    """Pairs of what went in and how: a digest, a version, or the place it was taken from."""
    unstable: tuple[str, ...]
    """What has no stable form, and why: with it a call is never found again."""

    def __str__(self) -> str:
        width = max(len(what) for what, _ in self.parts)
        lines = [self.key, *(f"  {what:<{width}}  {how}" for what, how in self.parts)]
        if self.unstable:
            lines.append("never found again, because these have no stable form:")
            lines += [f"  {what}" for what in self.unstable]
        return "\n".join(lines)


def call_key(
    fn: Callable[..., Any],
    arguments: Any,
    *,
    cores: int = 1,
    init_function: Callable[..., Any] | None = None,
    reference: Reference | None = None,
    fixed_sources: bool = False,
) -> CallKey:
    """The key of a call of ``fn``. ``arguments``: ``(args, kwargs)``, or a list of args tuples."""
    digester = Digester(reference, fixed_sources)
    parts = _parts(digester, fn, arguments, cores, init_function)
    digest = digest_of("call", *(part for _, part in parts)).hex()
    if digester.unstable:
        digest = uuid.uuid4().hex
    return CallKey(_name(fn) + digest[:32], tuple(digester.unstable))


def explain_key(
    fn: Callable[..., Any],
    /,
    *args: Any,
    resource_dict: Mapping[str, Any] | None = None,
    init_function: Callable[..., Any] | None = None,
    **kwargs: Any,
) -> KeyExplanation:
    """What goes into the key under which ``submit(fn, *args, **kwargs)`` is stored.

    Futures among the arguments have no value yet that could be told; a done one counts as its value.
    """
    digester = Digester(_value_of)
    cores = (resource_dict or {}).get("cores") or 1
    parts = _parts(digester, fn, (args, kwargs), cores, init_function)
    shown = [(what, part.hex()[:12]) for what, part in parts]
    for index, value in enumerate(args):
        shown.append((f"argument {index}", Digester(_value_of).of(value).hex()[:12]))
    for name in sorted(kwargs):
        shown.append((f"argument {name}", Digester(_value_of).of(kwargs[name]).hex()[:12]))
    shown += dict.fromkeys(digester.found)
    text = call_key(fn, (args, kwargs), cores=cores, init_function=init_function, reference=_value_of).text
    given = (resource_dict or {}).get("cache_key")
    if given is not None:
        return KeyExplanation(checked_key(given), (("cache_key", "given by the call"),), ())
    return KeyExplanation(text, tuple(shown), tuple(digester.unstable))


def checked_key(key: str) -> str:
    """A key that a user gave. ``ResourceError`` if no file can have that name."""
    parts = key.split("/")
    for part in parts:
        if not part or part.startswith(".") or "\0" in part:
            raise ResourceError(
                f"cache_key {key!r} cannot be a file's name: between two slashes there has to be a name that "
                "does not begin with a dot"
            )
        if len(part.encode()) > KEY_LENGTH_LIMIT:
            raise ResourceError(f"cache_key {key!r} is too long: at most {KEY_LENGTH_LIMIT} bytes")
    return key


def _parts(
    digester: Digester,
    fn: Callable[..., Any],
    arguments: Any,
    cores: int,
    init_function: Callable[..., Any] | None,
) -> list[tuple[str, bytes]]:
    function = digester.of(fn, f"function {getattr(fn, '__qualname__', type(fn).__qualname__)}")
    if type(arguments) is tuple:
        args, kwargs = arguments
        named = []
        for name in sorted(kwargs):
            named += [name.encode(), digester.of(kwargs[name], f"argument {name!r}")]
        values = digest_of("arguments", *digester.all(args, "argument"), b"", *named)
    else:
        values = digest_of("chunk", *digester.all(arguments, "call"))
    prepared = b"" if init_function is None else digester.of(init_function, "init_function")
    return [
        ("function", function),
        ("arguments", values),
        (f"cores = {cores}", b"%d" % cores),
        ("init_function" if init_function is not None else "no init_function", prepared),
        (PYTHON, PYTHON.encode()),
    ]


def _name(fn: Callable[..., Any]) -> str:
    name = getattr(fn, "__name__", None)
    name = name if isinstance(name, str) else type(fn).__name__
    return _NOT_IN_A_NAME.sub("", name)[:_NAME_LENGTH_LIMIT] or "call"


def _value_of(future: object) -> bytes | None:
    if future.done() and not future.cancelled() and future.exception() is None:  # type: ignore[attr-defined]
        return Digester(_value_of).of(future.result())  # type: ignore[attr-defined]
    return None
