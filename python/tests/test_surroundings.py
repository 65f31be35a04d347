# SPDX-License-Identifier: BSD-3-Clause
"""The same world in the worker: path, environment, directory, thread variables, output, error log."""

from __future__ import annotations

import os
import sys
import time

import pytest

from swiftlet import SingleNodeExecutor


def variable(name):
    return os.environ.get(name)


def directory():
    return os.getcwd()


def add(i, j):
    if i == 2:
        raise ValueError("two")
    return i + j


def speak(text):
    print(text)
    print(text.upper(), file=sys.stderr)


def parts(count):
    for number in range(count):
        sys.stdout.write(f"line {number} ")
        sys.stdout.flush()
        sys.stdout.write("of one piece\n")


def interpreter():
    return sys.executable, sys.flags.utf8_mode, sys.prefix


def test_modules_from_a_path_that_was_added(executor, tmp_path, monkeypatch):
    name = f"module_{tmp_path.name.replace('-', '_')}"
    (tmp_path / f"{name}.py").write_text("def f(x):\n    return x + 1\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    module = __import__(name)
    assert executor.submit(module.f, 1).result(30) == 2


def test_modules_of_the_current_directory(tmp_path, script):
    (tmp_path / "local_module.py").write_text("def f(x):\n    return x + 1\n")
    program = script(
        """
        import os, sys
        sys.path[0] = ""
        import local_module
        from swiftlet import SingleNodeExecutor
        with SingleNodeExecutor(max_workers=1) as executor:
            first = executor.submit(local_module.f, 1)
            os.chdir("/")
            print(first.result())
        """
    )
    assert program.end()[:2] == (0, "2\n")


def test_environment_and_directory_are_those_of_the_submit(fresh, monkeypatch, tmp_path):
    monkeypatch.setenv("SWIFTLET_TEST_VARIABLE", "one")
    first = fresh.submit(variable, "SWIFTLET_TEST_VARIABLE")
    monkeypatch.setenv("SWIFTLET_TEST_VARIABLE", "two")
    second = fresh.submit(variable, "SWIFTLET_TEST_VARIABLE")
    monkeypatch.delenv("SWIFTLET_TEST_VARIABLE")
    third = fresh.submit(variable, "SWIFTLET_TEST_VARIABLE")
    monkeypatch.chdir(tmp_path)
    assert [future.result(30) for future in (first, second, third)] == ["one", "two", None]
    assert fresh.submit(directory).result(30) == str(tmp_path)


def test_cwd_is_made(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with SingleNodeExecutor(max_cores=1, resource_dict={"cwd": "work/deep"}) as executor:
        assert executor.submit(directory).result(30) == str(tmp_path / "work" / "deep")
        other = executor.submit(directory, resource_dict={"cwd": str(tmp_path / "other")})
        assert other.result(30) == str(tmp_path / "other")
    with SingleNodeExecutor(block_allocation=True, max_workers=1, resource_dict={"cwd": "warm"}) as executor:
        assert executor.submit(directory).result(30) == str(tmp_path / "warm")


THREADS = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
)


@pytest.mark.parametrize("block_allocation", [False, True])
def test_thread_variables(monkeypatch, block_allocation):
    for name in THREADS:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    options = {"block_allocation": block_allocation, "max_workers": 1}
    with SingleNodeExecutor(**options) as executor:
        values = [executor.submit(variable, name).result(30) for name in THREADS]
        assert values == ["7", "1", "1", "1", "1"]
    with SingleNodeExecutor(resource_dict={"threads_per_core": 3}, **options) as executor:
        assert [executor.submit(variable, name).result(30) for name in THREADS] == ["3"] * 5
    assert os.environ["OMP_NUM_THREADS"] == "7"


def test_thread_variables_of_one_call(fresh):
    future = fresh.submit(variable, "OMP_NUM_THREADS", resource_dict={"threads_per_core": 2})
    assert future.result(30) == "2"


def test_error_log_file(executor_with_error_log, tmp_path):
    executor, path = executor_with_error_log
    futures = [executor.submit(add, number, j=number) for number in range(4)]
    assert [future.exception(30) is None for future in futures] == [True, True, False, True]
    text = path.read_text()
    for piece in ("function: ", "args: (2,)", "kwargs: {'j': 2}", "ValueError: two"):
        assert piece in text
    assert text.count("function: ") == 1


@pytest.fixture(params=[False, True])
def executor_with_error_log(request, tmp_path):
    path = tmp_path / "made for it" / "error.out"
    with SingleNodeExecutor(
        max_workers=1, block_allocation=request.param, resource_dict={"error_log_file": str(path)}
    ) as executor:
        yield executor, path


def test_the_same_interpreter(executor):
    assert executor.submit(interpreter).result(30) == interpreter()


def test_output_appears_where_ours_does(executor, capsys):
    executor.submit(speak, "hällo").result(30)
    executor.shutdown()
    captured = capsys.readouterr()
    assert "hällo\n" in captured.out
    assert "HÄLLO\n" in captured.err


def test_lines_are_never_mixed(capsys):
    with SingleNodeExecutor(block_allocation=True, max_workers=2) as executor:
        for future in [executor.submit(parts, 200) for _ in range(6)]:
            future.result(30)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 1200
    assert set(lines) == {f"line {number} of one piece" for number in range(200)}


def test_output_comes_while_the_call_runs(script):
    program = script(
        """
        import time
        from swiftlet import SingleNodeExecutor
        def talk():
            print("first")
            time.sleep(60)
        with SingleNodeExecutor(max_workers=1) as executor:
            future = executor.submit(talk)
            input()
            future.cancel()
        """
    )
    started = time.monotonic()
    assert program.line() == "first"
    assert time.monotonic() - started < 30
    assert program.end_after("\n")[0] == 0


def test_a_reader_who_does_not_read_blocks_nobody_but_the_printer(script):
    program = script(
        """
        import sys, time
        from swiftlet import SingleNodeExecutor
        def shout():
            for _ in range(100):
                print("x" * 100_000)
        with SingleNodeExecutor(block_allocation=True, max_workers=2) as executor:
            loud = executor.submit(shout)
            assert [executor.submit(abs, -i).result() for i in range(100)] == list(range(100))
            sys.stderr.write("quiet calls are done\\n")
            sys.stderr.flush()
        """
    )
    assert program.process.stderr.readline() == "quiet calls are done\n"
    status, out, _ = program.end()
    assert status == 0
    assert len(out) == 100 * 100_001


def test_a_program_without_standard_streams(script, tmp_path):
    """As a daemon starts one: what it opens next gets the numbers of the missing streams."""
    program = script(
        f"""
        import os, subprocess, sys
        if len(sys.argv) == 1:
            done = subprocess.run(f"{{sys.executable}} {{sys.argv[0]}} again <&- >&- 2>&-", shell=True)
            sys.exit(done.returncode)
        from swiftlet import SingleNodeExecutor
        with SingleNodeExecutor(max_workers=1) as executor:
            values = [executor.submit(abs, -3).result(timeout=60)]
        with SingleNodeExecutor(max_workers=1, block_allocation=True) as executor:
            values.append(executor.submit(abs, -4).result(timeout=60))
        with open({str(tmp_path / "values")!r}, "w") as file:
            file.write(repr(values))
        """
    )
    assert program.end(60)[0] == 0
    assert (tmp_path / "values").read_text() == "[3, 4]"
