# SPDX-License-Identifier: BSD-3-Clause
"""Classes of a program are the same classes in what its earlier runs have stored.

A class of ``__main__`` travels by value, under an identity that cloudpickle draws by lot in each run: what
an earlier run has stored would come back as instances of another class, and ``state is State.OK`` would be
false. Here the identity is a digest of the definition: whoever has the class already takes its own.
"""

from __future__ import annotations

import contextlib
import sys
import weakref
from typing import Any

from swiftlet._keyvalues import Digester

_done: weakref.WeakSet[type] = weakref.WeakSet()


def identify(cls: type) -> None:
    """Gives a class at top level of ``__main__`` its lasting identity, before it is pickled."""
    if cls in _done or not _is_named(cls):
        return
    _done.add(cls)
    digester = Digester()
    digest = digester.of(cls)
    if digester.unstable:  # it has nothing that would be the same in another run
        return
    from cloudpickle import cloudpickle as internals

    # Not of its public interface: without them classes stay what they are in each run.
    with contextlib.suppress(AttributeError), internals._DYNAMIC_CLASS_TRACKER_LOCK:
        identity = f"swiftlet-{cls.__qualname__}-{digest.hex()}"
        internals._DYNAMIC_CLASS_TRACKER_BY_CLASS[cls] = identity
        internals._DYNAMIC_CLASS_TRACKER_BY_ID[identity] = cls


def _is_named(cls: type) -> bool:
    found: Any = sys.modules.get("__main__")
    for name in cls.__qualname__.split("."):
        found = getattr(found, name, None)
    return found is cls
