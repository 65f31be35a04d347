# SPDX-License-Identifier: BSD-3-Clause
"""The fork server and workers of it, for the tests of this folder."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from stand_in import Engine, Worker


@pytest.fixture
def engine() -> Iterator[Engine]:
    """A stand-in engine with a real fork server, which has to end well."""
    engine = Engine()
    yield engine
    assert engine.close() == 0


@pytest.fixture
def worker(engine: Engine) -> Worker:
    """One worker."""
    return engine.spawn()
