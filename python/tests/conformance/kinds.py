# SPDX-License-Identifier: BSD-3-Clause
"""The executors that have to pass the conformance suite. A new one adds itself by one entry of ``KINDS``.

``make`` gets a directory of the test's own and constructor arguments that the test asks for.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from swiftlet import BaseExecutor, SingleNodeExecutor
from swiftlet.api import TestClusterExecutor


@dataclass(frozen=True)
class Kind:
    """One way of making an executor."""

    make: Callable[..., BaseExecutor]
    """``make(directory, **options)``: an executor that runs two calls at once."""
    stays: bool = False
    """Its workers stay: there are ``init_function`` and resizing, and no resources of a single call."""
    one_worker: dict[str, Any] = field(default_factory=dict)
    """Arguments that make it have one worker only, where its workers stay."""
    detaches: bool = False
    """Its calls outlive it: ``shutdown(wait=False)`` and the end of the program leave them alone."""


KINDS: dict[str, Kind] = {
    "single-node-fresh": Kind(lambda directory, **options: SingleNodeExecutor(max_workers=2, **options)),
    "single-node-warm": Kind(
        lambda directory, **options: SingleNodeExecutor(
            **{"block_allocation": True, "max_workers": 2, **options}
        ),
        stays=True,
        one_worker={"max_workers": 1},
    ),
    "test-cluster": Kind(
        lambda directory, **options: TestClusterExecutor(cache_directory=str(directory / "cache"), **options),
        detaches=True,
    ),
}
