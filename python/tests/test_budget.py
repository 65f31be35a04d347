# SPDX-License-Identifier: BSD-3-Clause
"""Arguments that queue up do not make the engine grow without bound: submit waits, and goes on."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from swiftlet import SingleNodeExecutor, _session

BUDGET = 200_000
CALLS = 2_000


def wait_for(path: str) -> None:
    Path(path).read_text()


def test_submit_waits_while_the_budget_is_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_session, "memory_budget", lambda: BUDGET)
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    with SingleNodeExecutor(block_allocation=True, max_workers=1) as executor:
        first = executor.submit(wait_for, str(gate))
        futures = []

        def submit_all() -> None:
            for number in range(CALLS):
                futures.append(executor.submit(len, b"x" * (800 + number % 100)))

        submitter = threading.Thread(target=submit_all)
        submitter.start()
        while executor.status()["memory_bytes"] < BUDGET * 3 // 2:
            assert submitter.is_alive()
        submitter.join(1.0)  # it cannot end: what it has submitted waits for the gate
        assert submitter.is_alive()
        assert len(futures) < CALLS
        assert executor.status()["memory_bytes"] < 4 * BUDGET
        gate.write_text("open")
        submitter.join()
        assert first.result() is None
        assert [future.result() for future in futures] == [800 + number % 100 for number in range(CALLS)]
