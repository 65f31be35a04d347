# SPDX-License-Identifier: BSD-3-Clause
"""Programs written for executorlib run unchanged, as a whole or from one line on."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = """\
# A program of somebody else's.
import sys
from concurrent.futures import as_completed

import helper_of_the_program
from executorlib import SingleNodeExecutor, get_item_from_future, split_future
from executorlib.api import TestClusterExecutor
from executorlib.standalone.interactive.communication import ExecutorlibSocketError


def square(x):
    return x * x


class Lost(Exception):
    pass


def nested(n):
    from executorlib import SingleNodeExecutor
    from executorlib.standalone.select import FutureSelector

    with SingleNodeExecutor(max_workers=1) as executor:
        future = FutureSelector(executor.submit(divmod, n, 2), 1)
        return future.result()


def exit_hard():
    import os

    os._exit(3)


if __name__ == "__main__":
    for options in ({}, {"block_allocation": True, "max_workers": 2}):
        with SingleNodeExecutor(**options) as executor:
            futures = [executor.submit(square, number) for number in range(4)]
            print(sorted(future.result() for future in as_completed(futures)))
            print(executor.submit(sum, futures).result(), executor.submit(nested, 7).result())
            print(executor.submit(helper_of_the_program.first, (4, 5)).result())
            print([each.result() for each in split_future(executor.submit(divmod, 7, 2), 2)])
            try:
                executor.submit(exit_hard).result()
            except ExecutorlibSocketError as error:
                print("lost", isinstance(error, RuntimeError))
    print(sys.argv[1:], __file__.endswith("program.py"), SingleNodeExecutor.__module__.partition(".")[0])
    SingleNodeExecutor(max_workers=1).submit(print, "and it ends without shutdown")
"""

HELPER = """\
from executorlib import get_item_from_future
from executorlib.standalone.serialize import cloudpickle_register


def first(values):
    return values[0], get_item_from_future.__module__.partition(".")[0], cloudpickle_register.__name__
"""

ONCE = [
    "[0, 1, 4, 9]",
    "14 1",
    "(4, 'swiftlet', 'cloudpickle_register')",
    "[3, 1]",
    "lost True",
]


@pytest.fixture
def program(tmp_path):
    (tmp_path / "program.py").write_text(PROGRAM)
    (tmp_path / "helper_of_the_program.py").write_text(HELPER)
    return tmp_path


def run(directory, *command):
    done = subprocess.run(
        [sys.executable, *command], cwd=directory, capture_output=True, text=True, timeout=100, check=False
    )
    return done.returncode, done.stdout.splitlines(), done.stderr


def test_a_whole_script(program):
    status, lines, stderr = run(program, "-m", "swiftlet.compat", "program.py", "--one", "two")
    assert status == 0, stderr
    assert lines == [
        *ONCE,
        *ONCE,
        "['--one', 'two'] True swiftlet",
        "and it ends without shutdown",
    ]


def test_a_module(program):
    status, lines, stderr = run(program, "-m", "swiftlet.compat", "-m", "program", "x")
    assert status == 0, stderr
    assert lines[-2] == "['x'] True swiftlet"


def test_one_changed_import(program):
    source = PROGRAM.replace("from executorlib", "from swiftlet")
    source = source.replace("swiftlet.standalone.interactive.communication", "swiftlet")
    source = source.replace("swiftlet.standalone.select", "swiftlet")
    (program / "program.py").write_text("import swiftlet\nswiftlet.install_as_executorlib()\n" + source)
    status, lines, stderr = run(program, "program.py")
    assert status == 0, stderr
    assert lines[:5] == ONCE


def test_install_gives_our_objects(tmp_path):
    (tmp_path / "installs.py").write_text(
        """
import swiftlet, swiftlet.api
swiftlet.install_as_executorlib()
swiftlet.install_as_executorlib()
import executorlib, executorlib.api, executorlib.standalone.serialize
from executorlib import *
from executorlib.executor.single import TestClusterExecutor
from executorlib.executor.slurm import SlurmJobExecutor as again
from executorlib.standalone.interactive.communication import ExecutorlibSocketError, SocketInterface
from executorlib.standalone.interactive.spawner import BaseSpawner, MpiExecSpawner
from executorlib.standalone.select import FutureSelector
assert executorlib.__version__ == "1.11.0"
assert len(executorlib.__all__) == 11 and len(executorlib.api.__all__) == 13
for module, ours in ((executorlib, swiftlet), (executorlib.api, swiftlet.api)):
    for name in module.__all__:
        assert getattr(module, name) is getattr(ours, name), name
        assert name in dir(module)
assert SingleNodeExecutor is swiftlet.SingleNodeExecutor and again is swiftlet.SlurmJobExecutor
assert "get_cache_data_queue" not in globals() and executorlib.get_cache_data_queue
assert FutureSelector is swiftlet.FutureSelector
assert ExecutorlibSocketError is swiftlet.ExecutorlibSocketError is swiftlet.api.ExecutorlibSocketError
assert executorlib.standalone.serialize.cloudpickle_register is swiftlet.api.cloudpickle_register
assert issubclass(MpiExecSpawner, BaseSpawner)
try:
    import executorlib.task_scheduler
except ModuleNotFoundError as error:
    assert error.name == "executorlib.task_scheduler" and "swiftlet stands in" in str(error)
else:
    raise SystemExit("internal modules have to be missing")
try:
    executorlib.no_such_name
except AttributeError as error:
    assert "no_such_name" in str(error)
print("good")
"""
    )
    status, lines, stderr = run(tmp_path, "installs.py")
    assert (status, lines) == (0, ["good"]), stderr


def test_too_late_is_said(tmp_path):
    (tmp_path / "executorlib.py").write_text("")
    (tmp_path / "late.py").write_text("import executorlib, swiftlet\nswiftlet.install_as_executorlib()\n")
    status, _, stderr = run(tmp_path, "late.py")
    assert status == 1
    assert "executorlib has been imported already" in stderr
    assert "before the first import" in stderr


def test_without_it_nothing_is_changed(executor):
    def look():
        import sys

        return "executorlib" in sys.modules, [type(finder).__module__ for finder in sys.meta_path]

    for present, finders in (look(), executor.submit(look).result(60)):
        assert not present
        assert "swiftlet._alias" not in finders


@pytest.mark.parametrize(
    ("arguments", "status"), [([], 2), (["--help"], 0), (["missing.py"], 2), (["--wrong", "x"], 2)]
)
def test_usage(arguments, status, tmp_path):
    ended, _, stderr = run(tmp_path, "-m", "swiftlet.compat", *arguments)
    assert ended == status
    assert "usage: python -m swiftlet.compat" in stderr


def test_a_failing_script_fails(tmp_path):
    (tmp_path / "fails.py").write_text("import executorlib\n\n\nraise SystemExit(5)\n")
    assert run(tmp_path, "-m", "swiftlet.compat", "fails.py")[0] == 5
    (tmp_path / "raises.py").write_text("import executorlib\n\n\n1 / 0\n")
    status, _, stderr = run(tmp_path, "-m", "swiftlet.compat", str(Path("raises.py")))
    assert status == 1
    assert "line 4" in stderr
    assert "1 / 0" in stderr
