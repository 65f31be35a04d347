# SPDX-License-Identifier: BSD-3-Clause
"""What modules want to be called around a fork, kept back in the fork server and given back in its children.

``threading`` and ``logging`` make anew what threads that are not in the child may have held. The fork server
has no such threads: for its own forks that is a fifth of the memory a child touches, for nothing. In the
child it may matter: there all hooks are registered again before the user's code runs.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from typing import Any

_NEEDLESS = ("threading", "logging")

_kept: list[dict[str, Callable[[], Any]]] = []


@contextlib.contextmanager
def kept_back() -> Iterator[None]:
    """While it lasts no hook is registered."""
    register = os.register_at_fork

    def keep(**hooks: Callable[[], Any]) -> None:
        _kept.append(hooks)

    os.register_at_fork = keep  # type: ignore[assignment]
    try:
        yield
    finally:
        os.register_at_fork = register


def give_back() -> None:
    """In a child of the fork server: registers the hooks, and runs those that mean this fork, too."""
    for hooks in _kept:
        os.register_at_fork(**hooks)
        after = hooks.get("after_in_child")
        if after is not None and after.__module__ not in _NEEDLESS:
            after()
