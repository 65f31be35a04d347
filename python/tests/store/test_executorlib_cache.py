# SPDX-License-Identifier: BSD-3-Clause
"""Caches that executorlib has written."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import cloudpickle
import h5py
import numpy as np
import pytest

from swiftlet import get_cache_data, get_cache_data_queue, get_future_from_cache


def write(path: Path, **content: object) -> None:
    """As executorlib lays it out: one-dimensional bytes, each a pickle of one value."""
    path.parent.mkdir(exist_ok=True)
    with h5py.File(path, "w") as file:
        for name, value in content.items():
            file.create_dataset(
                name, data=np.frombuffer(cloudpickle.dumps(value), dtype=np.uint8), compression="gzip"
            )


@pytest.fixture
def old(tmp_path: Path) -> Path:
    call = {"function": sum, "input_args": ([1, 1],), "input_kwargs": {}, "resource_dict": {"cores": 1}}
    write(tmp_path / "sum1_o.h5", **call, output=2, runtime=0.5)
    write(tmp_path / "sub" / "fails_o.h5", **call, error=ValueError("old"), runtime=0.1)
    write(tmp_path / "waits_i.h5", **call, queue_id=7)
    return tmp_path


def test_what_is_known(old: Path) -> None:
    rows = {os.path.relpath(row["filename"], old): row for row in get_cache_data(str(old))}
    assert rows["sum1_o.h5"]["output"] == 2
    assert rows["sum1_o.h5"]["function"] is sum
    assert rows["sum1_o.h5"]["input_args"] == ([1, 1],)
    assert rows["waits_i.h5"]["queue_id"] == 7
    assert str(rows["sub/fails_o.h5"]["error"]) == "old"
    states = {os.path.relpath(row["filename"], old): row["status"] for row in get_cache_data_queue(str(old))}
    assert states["sum1_o.h5"] == "finished"
    assert states["sub/fails_o.h5"] == "error"
    assert states["waits_i.h5"] == "aborted"


def test_futures(old: Path) -> None:
    assert get_future_from_cache(str(old), "sum1").result() == 2
    with pytest.raises(ValueError, match="old"):
        get_future_from_cache(str(old), "sub/fails")


def test_a_damaged_file_is_named(old: Path) -> None:
    (old / "sum1_o.h5").write_bytes(b"no HDF5")
    with pytest.warns(UserWarning, match=r"sum1_o\.h5 cannot be read"):
        assert len(get_cache_data(str(old))) == 2


def test_without_h5py_the_extra_is_named(old: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.warns(UserWarning, match="executorlib-cache"):
        assert get_cache_data(str(old)) == []
    with pytest.raises(ModuleNotFoundError, match="executorlib-cache"):
        get_future_from_cache(str(old), "sum1")
