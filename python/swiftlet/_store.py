# SPDX-License-Identifier: BSD-3-Clause
"""Where a call's entry is: a checked directory, and the key of the call or what the user gave for it."""

from __future__ import annotations

import json
import os
import platform
import socket
import stat
import sys
from collections.abc import Callable
from typing import Any, NamedTuple

from swiftlet import _key, _lastingclasses, _payload, _wire
from swiftlet._errors import ResourceError
from swiftlet._keyvalues import Reference
from swiftlet._resources import Resources
from swiftlet._version import __version__

DEFAULT_DIRECTORY = "executorlib_cache"


class Place(NamedTuple):
    """A place in a store."""

    directory: str
    key: str
    unstable: tuple[str, ...] = ()

    def packed(self, name: str) -> bytes:
        """As SUBMIT_ENTRY carries it."""
        return _wire.pack_entry(self.directory, self.key, name)


def cache_place(
    directory: str,
    resources: Resources,
    fn: Callable[..., Any],
    arguments: Any,
    init_function: Callable[..., Any] | None,
    *,
    reference: Reference | None = None,
    fixed_sources: bool = False,
) -> Place:
    """The place of a call with these resources. ``ResourceError`` for a directory or key that cannot be."""
    if resources.cache_directory is not None:
        directory = opened_directory(resources.cache_directory)
    if resources.cache_key is not None:
        return Place(directory, _key.checked_key(resources.cache_key))
    key = _key.call_key(
        fn,
        arguments,
        cores=resources.cores,
        init_function=init_function,
        reference=reference,
        fixed_sources=fixed_sources,
    )
    prefix = resources.cache_prefix
    text = f"{_key.checked_key(prefix)}{key.text}" if prefix else key.text
    return Place(directory, text, key.unstable)


def client_provenance() -> str:
    """What the engine cannot know of outcomes it writes, as JSON."""
    return json.dumps(
        {
            "host": socket.gethostname(),
            "user": _user(),
            "python": platform.python_version(),
            "swiftlet": __version__,
            "packages": _packages(),
            "command": [sys.executable, *sys.argv],
        }
    )


def _user() -> str:
    import pwd

    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return str(os.geteuid())


def _packages() -> dict[str, str]:
    """The packages that this program has imported so far, with their versions."""
    own: frozenset[str] = getattr(sys, "stdlib_module_names", frozenset())
    versions = {}
    for name, module in list(sys.modules.items()):
        if "." in name or name[0] == "_" or name in own:
            continue
        version = getattr(module, "__dict__", {}).get("__version__")  # a module's __getattr__ may warn
        if isinstance(version, str):
            versions[name] = version
    return versions


_checked: dict[str, str] = {}


def opened_directory(path: str) -> str:
    """The absolute path of a cache directory, made if it is missing. This program is now one that stores
    results: its classes keep their identity from run to run.

    ``ResourceError`` if everybody may write to it and remove what others have written (results are code to
    whoever loads them), or if it cannot be made.
    """
    _payload.identify_class = _lastingclasses.identify
    absolute = os.path.abspath(path)
    known = _checked.get(absolute)
    if known is not None and os.path.isdir(known):
        return known
    try:
        os.makedirs(absolute, exist_ok=True)
        mode = os.stat(absolute).st_mode
    except OSError as error:
        raise ResourceError(f"the cache directory {path!r} cannot be made: {error}") from error
    if mode & stat.S_IWOTH and not mode & stat.S_ISVTX:
        raise ResourceError(
            f"the cache directory {path!r} is writable by everybody: anyone could put results there that run "
            f"code as you when they are loaded. chmod o-w {absolute}, or choose another one"
        )
    _checked[absolute] = absolute
    return absolute
