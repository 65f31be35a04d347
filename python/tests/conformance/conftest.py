# SPDX-License-Identifier: BSD-3-Clause
"""Runs each test of the suite on every executor of ``kinds.KINDS``."""

from __future__ import annotations

import pytest
from conformance_fixtures import executor, gate, make
from kinds import KINDS, Kind

__all__ = ["executor", "gate", "kind", "make"]


@pytest.fixture(params=sorted(KINDS))
def kind(request: pytest.FixtureRequest) -> Kind:
    """Each executor in turn."""
    return KINDS[request.param]
