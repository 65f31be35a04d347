# SPDX-License-Identifier: BSD-3-Clause
"""Two thousand calls of every kind at once: each ends as it should."""

from __future__ import annotations

import random
from collections.abc import Callable
from concurrent.futures import as_completed
from typing import Any

import mpi_functions as on_ranks
import pytest

from swiftlet import ExecutorlibSocketError, SingleNodeExecutor

TOTAL = 2000
GROUPS = 30
"""How many of them are groups of 2 to 4 ranks: each costs a third of a second."""


@pytest.mark.timeout(600)
def test_two_thousand_mixed_calls_end_correctly() -> None:
    choose = random.Random(4)
    expected: dict[Any, Callable[[Any], None]] = {}

    def expects_value(value: object) -> Callable[[Any], None]:
        def check(future: Any) -> None:
            assert future.result(0) == value

        return check

    def expects_error(kind: type[BaseException]) -> Callable[[Any], None]:
        def check(future: Any) -> None:
            assert isinstance(future.exception(0), kind)

        return check

    groups = set(choose.sample(range(TOTAL), GROUPS))
    with SingleNodeExecutor(max_cores=4) as executor:
        for number in range(TOTAL):
            resources: dict[str, Any] = {"priority": choose.randrange(3)}
            if number in groups:
                resources.update(cores=choose.randint(2, 4), openmpi_oversubscribe=True)
                ranks = resources["cores"]
                kind = choose.choice(["value", "value", "error", "death"])
                if kind == "value":
                    future = executor.submit(on_ranks.place, number, resource_dict=resources)
                    expected[future] = expects_value([(number, ranks, rank) for rank in range(ranks)])
                elif kind == "error":
                    future = executor.submit(on_ranks.raises_on, 1, False, resource_dict=resources)
                    expected[future] = expects_error(ValueError)
                else:
                    future = executor.submit(on_ranks.dies_on, 1, "exit", resource_dict=resources)
                    expected[future] = expects_error(ExecutorlibSocketError)
                continue
            resources["threads_per_core"] = choose.randint(1, 4)
            kind = choose.choices(["value", "error", "death"], [8, 1, 1])[0]
            function = {"value": on_ranks.half, "error": on_ranks.fails, "death": on_ranks.dies}[kind]
            future = executor.submit(function, number, resource_dict=resources)
            expected[future] = {
                "value": expects_value(number / 2),
                "error": expects_error(LookupError),
                "death": expects_error(ExecutorlibSocketError),
            }[kind]
        for future in as_completed(expected):
            expected[future](future)
        assert executor.status()["cores_used"] <= 4
