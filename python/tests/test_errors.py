# SPDX-License-Identifier: BSD-3-Clause
"""Errors that help: the type that was raised, what happened in the worker, and where."""

from __future__ import annotations

import operator
import os
import pickle
import signal
import sys
import threading
import traceback

import engine_stand_in
import pytest

from swiftlet import (
    EngineDiedError,
    ExecutorlibSocketError,
    InputError,
    SingleNodeExecutor,
    SwiftletError,
    TaskRefusedError,
    TimeLimitError,
    WorkerLostError,
)


class Awkward(Exception):
    def __init__(self, code, *, detail):
        super().__init__(f"code {code}")
        self.code = code
        self.detail = detail


def raise_awkward():
    raise Awkward(3, detail="more")


def divide(a, b):
    return a / b


def complain_and_die(status):
    sys.stderr.write("the last words\n")
    sys.stderr.flush()
    os._exit(status)


def die_by(number):
    os.kill(os.getpid(), number)
    threading.Event().wait()


def return_lock():
    return threading.Lock()


def import_what_is_not_there():
    import a_module_that_is_nowhere  # noqa: F401


def test_the_exception_has_its_type_and_the_remote_traceback(executor):
    with pytest.raises(ZeroDivisionError) as raised:
        executor.submit(divide, 1, 0).result(30)
    text = "".join(traceback.format_exception(raised.type, raised.value, raised.value.__traceback__))
    assert "return a / b" in text
    assert "task 1 (divide)" in text
    assert "attempt 1" in text
    assert "pid" in text


def test_the_exception_is_one_object(warm):
    future = warm.submit(divide, 1, 0)
    error = future.exception(30)
    assert future.exception() is error
    with pytest.raises(ZeroDivisionError) as raised:
        future.result()
    assert raised.value is error


def test_an_exception_with_an_init_of_its_own(executor):
    with pytest.raises(Awkward) as raised:
        executor.submit(raise_awkward).result(30)
    assert raised.value.code == 3
    assert raised.value.detail == "more"


def test_a_worker_that_exits(executor):
    with pytest.raises(ExecutorlibSocketError) as raised:
        executor.submit(complain_and_die, 7).result(30)
    error = raised.value
    assert isinstance(error, WorkerLostError)
    assert isinstance(error, SwiftletError)
    assert isinstance(error, RuntimeError)
    assert error.exit_status == 7
    assert error.signal is None
    assert "status 7" in str(error)
    assert "the last words" in error.stderr
    assert "the last words" in str(error)
    assert executor.submit(operator.add, 1, 2).result(30) == 3


def test_the_last_words_of_a_call_right_behind_another_one(warm):
    """The worker goes on to it by itself: its words may be read before the result of the call before it."""
    for _ in range(20):
        before = [warm.submit(operator.add, number, 1) for number in range(20)]
        last = warm.submit(complain_and_die, 7)
        assert "the last words" in str(last.exception(30))
        assert [future.result(30) for future in before] == list(range(1, 21))


class Unmakeable(ValueError):
    def __reduce__(self):
        raise RuntimeError("it has no pickle")


def raise_group():
    group = sys.modules["builtins"].__dict__["ExceptionGroup"]
    raise group("many", [ValueError(1), Awkward(3, detail="more"), group("inner", [Unmakeable("x")])])


@pytest.mark.skipif(sys.version_info < (3, 11), reason="there are no groups of exceptions")
def test_a_group_of_exceptions_arrives_with_all_its_members(warm):
    error = warm.submit(raise_group).exception(60)
    assert str(error) == "many (3 sub-exceptions)"
    first, second, inner = error.exceptions
    assert (type(first), first.args) == (ValueError, (1,))
    assert (type(second), second.detail) == (Awkward, "more")
    assert (type(inner.exceptions[0]), str(inner.exceptions[0])) == (Unmakeable, "x")


class Holder:
    def __init__(self):
        self.lock = threading.Lock()


@pytest.mark.parametrize(
    ("args", "kwargs", "place"),
    [
        ((threading.Lock(),), {}, "argument 1 of type 'lock'"),
        ((1, {"a": [Holder()]}), {}, "argument 2, item 'a', item 0, attribute 'lock' of type 'lock'"),
        ((1,), {"key": (1, threading.Lock())}, "argument 'key', item 1 of type 'lock'"),
    ],
)
def test_an_argument_that_cannot_be_pickled_is_named(warm, args, kwargs, place):
    with pytest.raises(InputError, match="an argument of 'print' cannot be sent to a worker") as caught:
        warm.submit(print, *args, **kwargs)
    assert str(caught.value).endswith(f"({place})")


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV])
def test_a_worker_that_is_killed(executor, number):
    with pytest.raises(WorkerLostError, match=number.name) as raised:
        executor.submit(die_by, number).result(30)
    assert raised.value.signal == number
    assert str(raised.value).count(number.name) == 1
    assert executor.submit(operator.add, 1, 2).result(30) == 3


def test_errors_travel():
    error = WorkerLostError("text")
    error.exit_status, error.attempts = 3, ("a", "b")
    copy = pickle.loads(pickle.dumps(error))
    assert (str(copy), copy.exit_status, copy.attempts) == ("text", 3, ("a", "b"))


def test_an_argument_that_cannot_be_pickled(executor):
    with pytest.raises(InputError, match="lock") as raised:
        executor.submit(operator.add, threading.Lock(), 1)
    assert isinstance(raised.value, TypeError)
    assert isinstance(raised.value, pickle.PicklingError)
    assert executor.submit(operator.add, 1, 2).result(30) == 3


def test_a_function_that_cannot_be_pickled(warm):
    lock = threading.Lock()
    with pytest.raises(InputError, match="lock"):
        warm.submit(lambda: lock)


def test_a_result_that_cannot_be_pickled(executor):
    with pytest.raises((TypeError, pickle.PicklingError), match="lock"):
        executor.submit(return_lock).result(30)
    assert executor.submit(operator.add, 1, 2).result(30) == 3


def test_a_module_that_the_worker_has_not(executor):
    with pytest.raises(ModuleNotFoundError, match="a_module_that_is_nowhere"):
        executor.submit(import_what_is_not_there).result(30)


def test_system_exit_ends_the_worker(executor):
    with pytest.raises((ExecutorlibSocketError, SystemExit)):
        executor.submit(sys.exit, 4).result(30)
    assert executor.submit(operator.add, 1, 2).result(30) == 3


@pytest.mark.parametrize("kind", ["fresh", "warm"])
def test_time_limit(kind):
    resources = {"run_time_max": 0.3}
    with SingleNodeExecutor(
        max_workers=1, block_allocation=kind == "warm", resource_dict=resources
    ) as executor:
        late = executor.submit(sleep_forever)
        with pytest.raises(TimeLimitError, match=r"0\.3 s") as raised:
            late.result(30)
        assert isinstance(raised.value, TimeoutError)
        assert isinstance(raised.value, ExecutorlibSocketError)
        assert raised.value.limit == pytest.approx(0.3)
        assert executor.submit(operator.add, 1, 2).result(30) == 3


def sleep_forever():
    threading.Event().wait()


def test_time_limit_of_one_call(fresh):
    late = fresh.submit(sleep_forever, resource_dict={"run_time_max": 0.2})
    fine = fresh.submit(operator.add, 1, 2, resource_dict={"run_time_max": 60})
    assert fine.result(30) == 3
    with pytest.raises(TimeLimitError):
        late.result(30)


def test_init_function_that_raises():
    def bad():
        raise LookupError("no preset")

    with SingleNodeExecutor(block_allocation=True, max_workers=1, init_function=bad) as executor:
        with pytest.raises(LookupError, match="no preset"):
            executor.submit(operator.add, 1, 2).result(30)


def test_init_function_that_exits():
    with SingleNodeExecutor(
        block_allocation=True, max_workers=1, init_function=lambda: os._exit(5)
    ) as executor:
        with pytest.raises(ExecutorlibSocketError) as raised:
            executor.submit(operator.add, 1, 2).result(30)
        assert isinstance(raised.value, (TaskRefusedError, WorkerLostError))


@pytest.mark.parametrize("logged", [False, True])
def test_an_engine_that_is_killed(monkeypatch, tmp_path, logged):
    if logged:
        monkeypatch.setenv("SWIFTLET_LOG", str(tmp_path / "engine.log"))
    else:
        monkeypatch.delenv("SWIFTLET_LOG", raising=False)
    executor = SingleNodeExecutor(block_allocation=True, max_workers=1)
    futures = [executor.submit(sleep_forever) for _ in range(10)]
    os.kill(executor._session.connection.engine_pid, signal.SIGKILL)
    for future in futures:
        error = future.exception(30)
        assert isinstance(error, EngineDiedError)
        assert isinstance(error, ExecutorlibSocketError)
        assert (str(tmp_path / "engine.log") if logged else "SWIFTLET_LOG") in str(error)
    assert "SIGKILL" in str(error)
    with pytest.raises(EngineDiedError):
        executor.submit(operator.add, 1, 2)
    executor.shutdown()


def test_the_last_words_of_an_engine_that_has_not_read_everything(monkeypatch, tmp_path):
    program = tmp_path / "engine"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} {engine_stand_in.__file__} "$@"\n')
    program.chmod(0o700)
    monkeypatch.setenv("SWIFTLET_ENGINE", str(program))
    executor = SingleNodeExecutor()
    for future in [executor.submit(operator.add, 1, 2), executor.submit(operator.add, 3, 4)]:
        with pytest.raises(EngineDiedError, match=engine_stand_in.LAST_WORDS) as raised:
            future.result(30)
        assert "reset" not in str(raised.value)
        assert "exited" not in str(raised.value)  # whoever says why it ends is not asked how


def test_a_missing_engine(monkeypatch):
    monkeypatch.setenv("SWIFTLET_ENGINE", "/nowhere/at/all")
    with pytest.raises(EngineDiedError, match="/nowhere/at/all"):
        SingleNodeExecutor()


def test_an_engine_that_is_another_program(monkeypatch):
    monkeypatch.setenv("SWIFTLET_ENGINE", "/bin/true")
    with pytest.raises(EngineDiedError, match="status 0"):
        SingleNodeExecutor()
