# SPDX-License-Identifier: BSD-3-Clause
"""What the tests of executors share. There is no skipping: without an engine they fail."""

from __future__ import annotations

import faulthandler
import os
import shutil
import signal
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from marked_processes import MARK, gone_within
from programs import Script

import swift_program
from swiftlet import SingleNodeExecutor

PACKAGE = str(Path(__file__).resolve().parents[1])
STUCK_AFTER = 100.0

os.environ[MARK] = uuid.uuid4().hex
os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [PACKAGE, os.environ.get("PYTHONPATH")]))
# Who runs the tests in the background may have them ignore Ctrl-C; programs that they start have to hear it.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture
def program_copy(tmp_path: Path) -> Path:
    """A copy of the Swift program of the tests, which may be replaced."""
    return Path(shutil.copy(swift_program.built(), tmp_path / "program"))


@pytest.fixture(autouse=True)
def _says_where_it_is_stuck() -> Iterator[None]:
    faulthandler.dump_traceback_later(STUCK_AFTER)
    yield
    faulthandler.cancel_dump_traceback_later()


@pytest.fixture
def fresh() -> Iterator[SingleNodeExecutor]:
    """A process per call."""
    with SingleNodeExecutor(max_cores=4) as executor:
        yield executor


@pytest.fixture
def warm() -> Iterator[SingleNodeExecutor]:
    """Two workers that stay."""
    with SingleNodeExecutor(block_allocation=True, max_workers=2) as executor:
        yield executor


@pytest.fixture(params=["fresh", "warm"])
def executor(request: pytest.FixtureRequest) -> SingleNodeExecutor:
    """Both, one after the other."""
    found: SingleNodeExecutor = request.getfixturevalue(request.param)
    return found


@pytest.fixture
def script(tmp_path: Path) -> Iterator[type[Script]]:
    """Starts programs; what is still running at the end of the test is killed."""
    started: list[Script] = []

    def start(source: str) -> Script:
        started.append(Script(tmp_path, source))
        return started[-1]

    yield start  # type: ignore[misc]
    for program in started:
        if program.process.poll() is None:
            program.process.kill()
        program.process.communicate()


def pytest_sessionfinish(session: pytest.Session) -> None:
    left = gone_within(5.0, os.environ[MARK])
    if left:
        session.exitstatus = 1
        sys.stderr.write(f"\nprocesses of the tests are left: {left}\n")
