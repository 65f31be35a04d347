# SPDX-License-Identifier: BSD-3-Clause
"""The surroundings of a call: ``sys.path``, environment and directory, as the client has them."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from typing import Any

from swiftlet._worker import _slot
from swiftlet._worker._place import Place


class Surroundings:
    """What of them this process has now; changes only what differs from the last call's."""

    def __init__(self) -> None:
        self._current: Mapping[str, Any] | None = None
        self._prepared: Mapping[str, Any] | None = None
        self._home: str | None = None
        self._place = Place()

    def prepare(self, context: Mapping[str, Any]) -> None:
        """In the fork server: what of a context all its children have."""
        self._prepared = None
        self._set_path_and_environment(context)
        self._prepared = context

    def apply(self, context: Mapping[str, Any]) -> None:
        """Makes the context this process'. ``OSError`` if the directory cannot be made or entered."""
        if context is self._current:
            return
        self._current = None
        if context is not self._prepared:
            self._set_path_and_environment(context)
        self._prepared = None
        if context.get("as_executorlib"):
            from swiftlet._alias import install_as_executorlib

            install_as_executorlib()
        self._set_directory(context["cwd"])
        self._current = context

    def _set_path_and_environment(self, context: Mapping[str, Any]) -> None:
        _set_path(context["path"])
        if context["env"] is not None:
            _set_environment({**self._place.kept_in(context["env"]), **_slot.overlay})

    def _set_directory(self, directory: str | None) -> None:
        if directory is None:
            if self._home is not None:
                os.chdir(self._home)
            return
        if self._home is None:
            self._home = os.getcwd()
        try:
            os.chdir(directory)
        except FileNotFoundError:
            os.makedirs(directory, exist_ok=True)
            os.chdir(directory)


def _set_path(path: list[str]) -> None:
    if sys.path != path:
        sys.path[:] = path
    cache = sys.path_importer_cache
    for entry in [entry for entry, finder in cache.items() if finder is None]:
        del cache[entry]  # what was no directory when the fork server looked may be one now


def _set_environment(wanted: Mapping[str, str]) -> None:
    # As bytes: each look into `os.environ` is a handful of calls, and most often there is nothing to do.
    current: Mapping[bytes, bytes] = os.environ._data  # type: ignore[attr-defined]
    variables = {
        name.encode("utf-8", "surrogateescape"): value.encode("utf-8", "surrogateescape")
        for name, value in wanted.items()
    }
    if current == variables:
        return
    for gone in current.keys() - variables.keys():
        del os.environb[gone]
    for variable, content in variables.items():
        if current.get(variable) != content:
            os.environb[variable] = content
