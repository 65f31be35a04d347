# SPDX-License-Identifier: BSD-3-Clause
"""Classes that users derive from executors, as with executorlib's."""

from __future__ import annotations

import operator
from typing import Any

import pytest

from swiftlet import SingleNodeExecutor
from swiftlet.api import TestClusterExecutor


class Counting(SingleNodeExecutor):
    """Has arguments of its own, and looks at what is submitted."""

    def __init__(self, label: str, **options: Any) -> None:
        super().__init__(max_workers=1, **options)
        self.label = label
        self.submitted: list[Any] = []

    def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Any:
        self.submitted.append(fn)
        return super().submit(fn, *args, **kwargs)


@pytest.mark.parametrize("warm", [False, True], ids=["fresh", "warm"])
def test_map_goes_through_a_derived_submit(warm: bool) -> None:
    with Counting("mine", block_allocation=warm) as executor:
        assert executor.label == "mine"
        assert executor.submit(operator.neg, 1).result() == -1
        assert list(executor.map(operator.neg, [1, 2])) == [-1, -2]
        assert list(executor.map(operator.mul, [1, 2, 3], [4, 5, 6], chunksize=2)) == [4, 10, 18]
        assert executor.submitted[:3] == [operator.neg] * 3
        assert len(executor.submitted) == 5
    with pytest.raises(RuntimeError, match="after shutdown"):
        executor.map(operator.neg, [1])


class Here(TestClusterExecutor):
    """Fixes an argument, and changes nothing else."""

    def __init__(self, directory: str) -> None:
        super().__init__(cache_directory=directory)


def test_a_derived_cluster_executor(tmp_path: Any) -> None:
    with Here(str(tmp_path / "cache")) as executor:
        assert list(executor.map(operator.neg, [1, 2])) == [-1, -2]
