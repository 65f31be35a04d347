# SPDX-License-Identifier: BSD-3-Clause
"""The cache of executorlib (HDF5), read only; needs ``pip install swiftlet[executorlib-cache]``."""

from __future__ import annotations

import os
import pickle
from collections.abc import Iterator
from concurrent.futures import Future as StandardFuture
from typing import Any

from swiftlet import _entries, _warnings
from swiftlet._futures import Future

_NAMES = (
    "function",
    "input_args",
    "input_kwargs",
    "resource_dict",
    "error_log_file",
    "queue_id",
    "output",
    "error",
    "runtime",
)
_OUTPUT, _INPUT = "_o.h5", "_i.h5"


def described(cache_directory: str) -> Iterator[dict[str, Any]]:
    """One dict for each of its files, as ``get_cache_data`` gives it."""
    for folder, _, names in os.walk(os.path.abspath(cache_directory)):
        for name in sorted(names):
            if not name.endswith((_OUTPUT, _INPUT)):
                continue
            path = os.path.join(folder, name)
            try:
                yield {**read(path), "filename": path}
            except Exception as error:
                _warnings.warn(f"{path} cannot be read: {error}")


def future_of(directory: str, key: str) -> StandardFuture[Any] | None:
    """The finished future of one of its results; raises the error that it may be. None: there is no such
    file.
    """
    path = os.path.join(directory, key) + _OUTPUT
    if not os.path.exists(path):
        return None
    content = read(path)
    if "error" in content:
        raise content["error"]
    if "output" not in content:
        return None
    future: Future[Any] = Future(name=key)
    future._finish(content["output"], None)
    return future


def read(path: str) -> dict[str, Any]:
    """What a file says, unpickled. ``ModuleNotFoundError`` without h5py; ``EntryError`` if its owner is not
    trusted.
    """
    try:
        import h5py  # type: ignore[import-not-found,import-untyped,unused-ignore]
    except ModuleNotFoundError:
        raise ModuleNotFoundError(
            f"{path} is a file of executorlib's: pip install 'swiftlet[executorlib-cache]' to read it",
            name="h5py",
        ) from None
    _entries.check_owner(path)
    content: dict[str, Any] = {}
    with h5py.File(path, "r") as file:
        for name in _NAMES:
            if name in file:
                content[name] = pickle.loads(bytes(file[name][()].tobytes()))
    return content
