# SPDX-License-Identifier: BSD-3-Clause
"""Presets: what ``init_function`` returned, and the worker's id, as default arguments of the calls that name
them.
"""

from __future__ import annotations

import types
from collections.abc import Callable, Iterable, Mapping
from typing import Any


def presettable(fn: Callable[..., Any]) -> tuple[str, ...]:
    """The parameters that can be given by position and by keyword; none where there is no signature.

    Decorators are not looked through: what the wrapper itself takes counts.
    """
    if type(fn) is types.FunctionType and not hasattr(fn, "__signature__"):
        code = fn.__code__
        return code.co_varnames[code.co_posonlyargcount : code.co_argcount]
    import inspect

    try:
        parameters = inspect.signature(fn, follow_wrapped=False).parameters.values()
    except Exception:  # builtins have none; a broken one must not break the call
        return ()
    both = inspect.Parameter.POSITIONAL_OR_KEYWORD
    return tuple(parameter.name for parameter in parameters if parameter.kind is both)


def with_presets(
    kwargs: dict[str, Any], parameters: Iterable[str], presets: Mapping[str, Any]
) -> dict[str, Any]:
    """The keyword arguments, and those presets that the function names and the caller did not give by
    keyword.
    """
    missing = {name: presets[name] for name in parameters if name in presets and name not in kwargs}
    return {**kwargs, **missing} if missing else kwargs
