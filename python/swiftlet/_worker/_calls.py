# SPDX-License-Identifier: BSD-3-Clause
"""One call: its surroundings, its function, its arguments, its result; independent of the connection."""

from __future__ import annotations

import types
from collections.abc import Sequence
from typing import Any, Callable

from swiftlet._payload import discard, dumps, loads
from swiftlet._segments import SegmentConsumer, SegmentProducer
from swiftlet._wire import Part
from swiftlet._worker import _errorlog
from swiftlet._worker._blobs import Blobs, Function
from swiftlet._worker._context import Surroundings
from swiftlet._worker._presets import with_presets


class Calls:
    """Runs calls in this process, with what earlier ones left: loaded functions and presets."""

    def __init__(self, blobs: Blobs, consumer: SegmentConsumer) -> None:
        self._blobs = blobs
        self._consumer = consumer
        self._surroundings = Surroundings()
        self._presets: dict[str, Any] = {"executorlib_worker_id": 0}
        self.ran_chunk = False
        """Whether the last call was a chunk of ``map``: its value is the list of values of several calls."""

    def initialise(self, index: int, blobs: Sequence[int]) -> None:
        """Prepares worker number ``index``: [context] or [context, init function]. Raises what they raise."""
        self._presets["executorlib_worker_id"] = index
        self._surroundings.apply(self._blobs.context(blobs[0]))
        if len(blobs) < 2:
            return
        function = self._load_function(blobs[1])
        presets = function.call(**with_presets({}, function.parameters, self._presets))
        if not isinstance(presets, dict):
            kind = type(presets).__name__
            raise TypeError(
                f"init_function has to return a dict of presets, it returned an object of type {kind!r}"
            )
        self._presets.update(presets)

    def prepare(self, context: dict[str, Any]) -> None:
        """Takes on what of a context is no matter of its call's process alone."""
        self._surroundings.prepare(context)

    def run(
        self,
        context_blob: int,
        function_blob: int,
        arguments: list[Part],
        inputs: list[list[Part]],
        producer: SegmentProducer,
    ) -> list[Part]:
        """The payload of the result. Raises what the call raises, or what kept it from being called.

        Every part of ``arguments`` and ``inputs`` is freed when nothing refers to it any more.
        """
        unused = [arguments, *inputs]
        try:
            context = self._blobs.context(context_blob)
            self._surroundings.apply(context)
            function = self._load_function(function_blob)
            log = context["error_log_file"]
            value = self._evaluate(function, self._load_arguments(unused), log)
        finally:
            for parts in unused:
                discard(parts, self._consumer)
        return _dump_result(value, function.call, producer)

    def _load_function(self, ident: int) -> Function:
        try:
            return self._blobs.function(ident)
        except Exception as error:
            raise _loading_failed("the function", error) from error

    def _load_arguments(self, unused: list[list[Part]]) -> Any:
        """The arguments; takes out of ``unused`` what it loads."""
        consumer = self._consumer
        if len(unused) == 1:
            try:
                return loads(unused.pop(), consumer)
            except Exception as error:
                raise _loading_failed("the arguments", error) from error

        def take(position: int) -> list[Part]:
            parts, unused[position] = unused[position], []
            return parts

        def loader(position: int) -> Callable[[], object]:
            return lambda: loads(take(position), consumer)

        try:
            return loads(take(0), consumer, [loader(position) for position in range(1, len(unused))])
        except Exception as error:
            raise _loading_failed("the arguments", error) from error

    def _evaluate(self, function: Function, arguments: Any, log: str | None) -> Any:
        """One call's value, or the list of values of a chunk of ``map``."""
        self.ran_chunk = type(arguments) is list
        if self.ran_chunk:
            return [self._invoke(function, args, {}, log) for args in arguments]
        args, kwargs = arguments
        return self._invoke(function, args, kwargs, log)

    def _invoke(
        self, function: Function, args: Sequence[Any], kwargs: dict[str, Any], log: str | None
    ) -> Any:
        if function.parameters:
            kwargs = with_presets(kwargs, function.parameters, self._presets)
        if log is None:
            return function.call(*args, **kwargs)
        try:
            return function.call(*args, **kwargs)
        except Exception as error:
            _errorlog.append(log, function.call, args, kwargs, error)
            raise


def _dump_result(value: Any, call: Any, producer: SegmentProducer) -> list[Part]:
    if type(value) is types.CoroutineType:
        value.close()
        name = getattr(call, "__qualname__", repr(call))
        raise TypeError(
            f"{name} is a coroutine function: call it inside a function that runs it, by asyncio.run"
        )
    try:
        return dumps(value, producer)
    except Exception as error:
        name = getattr(call, "__qualname__", repr(call))
        raise type(error)(f"the result of {name} cannot be sent back: {error}") from error


def _loading_failed(what: str, error: Exception) -> Exception:
    """An error of the same type, where that can be said, which tells that the call has not begun."""
    if isinstance(error, ModuleNotFoundError):
        text = (
            f"{error}: {what} cannot be loaded in the worker. The module can be imported by the client only; "
            "put it on sys.path, or register it with cloudpickle.register_pickle_by_value"
        )
        return ModuleNotFoundError(text, name=error.name, path=error.path)
    text = f"{what} cannot be loaded in the worker: {error}"
    if type(error) in (ImportError, AttributeError, TypeError, ValueError, KeyError, IndexError, EOFError):
        return type(error)(text)
    return RuntimeError(f"{what} cannot be loaded in the worker: {type(error).__name__}: {error}")
