# SPDX-License-Identifier: BSD-3-Clause
from __future__ import annotations

import functools
import linecache
import math
import os
import pickle
import struct
import sys
import threading
import types
from typing import Any

import cloudpickle
import numpy
import pytest

from swiftlet import _payload, _wire
from swiftlet._errorpayload import with_source_lines
from swiftlet._payload import (
    Input,
    RemoteError,
    RemoteTraceback,
    dump_callable,
    dump_error,
    dumps,
    load_error,
    loads,
)
from swiftlet._segments import SegmentConsumer, SegmentProducer


@pytest.fixture
def ends() -> Any:
    consumer = SegmentConsumer()

    def announce(frame: bytes, descriptor: int) -> None:
        ident = _wire.HEADER.unpack_from(frame)[1]
        consumer.add(ident, struct.unpack_from("<Q", frame, 16)[0], os.dup(descriptor))

    producer = SegmentProducer(1, announce, lambda frame: None)
    yield producer, consumer
    producer.close()
    consumer.close()


class Marker:
    def __init__(self, index: int, *path: object) -> None:
        self.input = Input(index, path)


def reference(obj: object) -> Input | None:
    return obj.input if isinstance(obj, Marker) else None


def main_module(source: str) -> dict[str, Any]:
    """Definitions as a script's ``__main__`` has them."""
    module = {"__name__": "__main__"}
    exec(source, module)
    return module


@pytest.mark.parametrize(
    "obj", [((1, "x"), {"k": None}), [((1,)), (2,)], [1, 2.5], {"a": {1, 2}}, b"bytes", None]
)
def test_objects_come_back(obj: object) -> None:
    assert loads(dumps(obj)) == obj
    assert loads(dumps(obj, reference=reference)) == obj


def test_large_buffers_travel_beside_the_pickle_and_are_writable(ends: Any) -> None:
    producer, consumer = ends
    large, small = numpy.arange(20_000.0), numpy.arange(10)
    parts = dumps(((large, small), {}), producer)
    assert [type(part) for part in parts] == [bytes, _wire.SegmentPart]
    assert len(parts[0]) < 1000
    ((got, other), _) = loads(parts, consumer)
    got[0] = 5
    other[0] = 5
    assert got[1:].tolist() == large[1:].tolist()
    assert not consumer.freed
    del got
    assert len(consumer.freed) == 1


def test_a_large_main_stream_goes_into_a_segment_too(ends: Any) -> None:
    producer, consumer = ends
    for obj in ("x" * 100_000, ["x" * 100_000, {1}]):
        (part,) = dumps(obj, producer)
        assert isinstance(part, _wire.SegmentPart)
        assert loads([part], consumer) == obj
    assert len(consumer.freed) == 2


def test_without_segments_buffers_go_inline_and_stay_writable(
    ends: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    producer, consumer = ends
    monkeypatch.setattr(producer, "store", lambda buffer: None)
    parts = dumps(numpy.zeros(20_000), producer)
    packed = _wire.pack_payload(parts)
    got = loads(_wire.unpack_payload(packed)[0], consumer)
    got[3] = 1.0
    assert got.sum() == 1.0


def test_an_error_in_loading_frees_all_parts(ends: Any) -> None:
    producer, consumer = ends
    parts = dumps([numpy.zeros(20_000), numpy.zeros(20_000)], producer)
    with pytest.raises(Exception, match=r"."):
        loads([b"no pickle", *parts[1:]], consumer)
    assert len(consumer.freed) == 2
    missing = _wire.SegmentPart(99, 0, 10)
    with pytest.raises(ValueError, match="has no part"):
        loads([parts[0], missing, parts[1]], consumer)
    assert len(consumer.freed) == 4


def test_references_are_resolved_wherever_they_lie() -> None:
    marker = Marker(0, "k", 1)
    payload = dumps(([marker, (marker, {"d": Marker(1)})], {}), reference=reference)
    calls: list[int] = []

    def first() -> object:
        calls.append(0)
        return {"k": [5, [6]]}

    (got, _) = loads(payload, None, [first, lambda: "second"])
    assert got == [[6], ([6], {"d": "second"})]
    assert got[0] is got[1][0]
    assert calls == [0]


def test_references_are_found_beside_what_only_cloudpickle_can_do() -> None:
    local = main_module("class Local: pass")["Local"]
    payload = dumps(((lambda: 3, Marker(0), local()), {}), reference=reference)
    ((fn, value, _), _) = loads(payload, None, [lambda: 42])
    assert (fn(), value) == (3, 42)


def test_what_belongs_to_main_goes_by_value() -> None:
    point = main_module("class Point:\n  def __init__(self, x): self.x = x")["Point"](3)
    (data,) = dumps(point)
    assert isinstance(data, bytes)
    script = "import pickle, sys; print(pickle.loads(sys.stdin.buffer.read()).x)"
    import subprocess

    done = subprocess.run([sys.executable, "-c", script], input=data, capture_output=True, check=True)
    assert done.stdout == b"3\n"


def test_a_module_registered_by_value_goes_by_value() -> None:
    module = types.ModuleType("only_here")
    exec("def f(): return 7", module.__dict__)
    sys.modules["only_here"] = module
    try:
        (before,) = dumps(module.f)
        assert b"only_here" in before
        assert len(before) < 60
        cloudpickle.register_pickle_by_value(module)
        (after,) = dumps(module.f)
        cloudpickle.unregister_pickle_by_value(module)
    finally:
        del sys.modules["only_here"]
    assert loads([after])() == 7


def test_what_cannot_be_pickled_is_named() -> None:
    with pytest.raises(TypeError, match=r"cannot pickle '_thread.lock' object \(item 'a' of type 'lock'\)"):
        dumps({"a": threading.Lock(), "b": 1})

    class Refuses:
        def __reduce__(self) -> Any:
            raise RuntimeError("not me")

    with pytest.raises(pickle.PicklingError, match="RuntimeError: not me"):
        dumps([Refuses()])


REUSED = """
import os, math
LIMIT = 3
def helper(x): return x + LIMIT
def plain(x): return helper(x)
def recursive(n): return 1 if n < 2 else n * recursive(n - 1)
"""
LOADED_ANEW = """
items = []
count = 0
def appends(x): items.append(x)
def counts():
    global count
    count += 1
def default(x, seen=[]): return seen
def keeps(x): keeps.last = x
def nested(x): return appends(x)
def reflects(): return globals()
def inner():
    def change():
        global count
        count = 1
    return change
"""


@pytest.mark.parametrize("name", ["helper", "plain", "recursive"])
def test_functions_without_state_are_reused(name: str) -> None:
    fn = main_module(REUSED)[name]
    data = dump_callable(fn)
    assert data[0] == 0
    assert pickle.loads(data[1:])(2) == fn(2)


@pytest.mark.parametrize("name", ["appends", "counts", "default", "keeps", "nested", "reflects", "inner"])
def test_functions_with_state_are_loaded_for_each_call(name: str) -> None:
    assert dump_callable(main_module(LOADED_ANEW)[name])[0] == 1


def test_by_reference_is_reused_and_other_callables_are_not() -> None:
    assert [dump_callable(fn)[0] for fn in (math.sin, numpy.sum, os.path.join, int)] == [0, 0, 0, 0]
    cell = [1]
    assert [dump_callable(fn)[0] for fn in (functools.partial(max, 1), cell.append, lambda: cell)] == [
        1,
        1,
        1,
    ]


class Awkward(Exception):
    def __init__(self, code: int, text: str) -> None:
        super().__init__(f"{text} ({code})")
        self.code = code
        self.lock = threading.Lock()


class Doubling(ValueError):
    def __init__(self, text: str) -> None:
        super().__init__(f"<{text}>")


class Mute(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no words")


def raised(error: BaseException) -> BaseException:
    try:
        try:
            raise KeyError("inner")
        except KeyError as inner:
            raise error from inner
    except BaseException as caught:
        return caught


def test_an_exception_keeps_its_type_message_and_remote_traceback() -> None:
    error = load_error(dump_error(raised(ValueError("wrong", 5))))
    assert type(error) is ValueError
    assert error.args == ("wrong", 5)
    assert isinstance(error.__cause__, RemoteTraceback)
    text = str(error.__cause__)
    assert "in raised" in text
    assert "KeyError: 'inner'" in text
    assert f"in process {os.getpid()} on" in text
    assert isinstance(error.__context__, KeyError)


def test_a_function_by_value_keeps_the_name_of_its_file() -> None:
    code = compile("def fail():\n  raise ValueError(1)", "/somewhere/script.py", "exec")
    module = {"__name__": "__main__"}
    exec(code, module)
    assert loads(dumps(module["fail"])).__code__.co_filename == "/somewhere/script.py"


def test_the_remote_traceback_shows_lines_that_only_the_client_has() -> None:
    text = 'Traceback (most recent call last):\n  File "<cell 7>", line 2, in fail\nValueError: 1\n'
    linecache.cache["<cell 7>"] = (30, None, ["def fail():\n", "    raise ValueError(1)\n"], "<cell 7>")
    try:
        shown = with_source_lines(text)
    finally:
        del linecache.cache["<cell 7>"]
    assert shown.splitlines()[1:3] == ['  File "<cell 7>", line 2, in fail', "    raise ValueError(1)"]
    assert with_source_lines(shown) == shown
    assert with_source_lines(text) == text


@pytest.mark.parametrize("error", [Awkward(4, "bad"), Doubling("x")])
def test_exceptions_whose_init_takes_other_arguments_come_back(error: BaseException) -> None:
    got = load_error(dump_error(raised(error)))
    assert type(got) is type(error)
    assert str(got) == str(error)
    assert getattr(got, "code", None) == getattr(error, "code", None)


def test_what_cannot_be_made_again_is_named() -> None:
    got = load_error(dump_error(raised(Mute("x"))))
    assert isinstance(got, RemoteError)
    assert "Mute" in str(got)
    assert "its text cannot be had" in str(got)
    assert "in raised" in str(got.__cause__)
    assert "could not be read" in str(load_error([b"damaged"]))


def test_an_exception_of_main_arrives() -> None:
    kind = main_module("class Own(Exception): pass")["Own"]
    assert str(load_error(dump_error(raised(kind("mine"))))) == "mine"


@pytest.mark.skipif(sys.version_info < (3, 11), reason="exceptions have no notes")
def test_notes_arrive() -> None:
    error = ValueError("x")
    error.add_note("a note")  # type: ignore[attr-defined,unused-ignore]
    assert load_error(dump_error(raised(error))).__dict__["__notes__"] == ["a note"]


def test_parts_that_are_not_loaded_are_freed(ends: Any) -> None:
    producer, consumer = ends
    _payload.discard(dumps(numpy.zeros(20_000), producer), consumer)
    assert len(consumer.freed) == 1
