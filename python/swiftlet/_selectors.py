# SPDX-License-Identifier: BSD-3-Clause
"""Views of one item of a future's result. As inputs of calls they fetch that item only."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future as StandardFuture
from typing import Any, final


@final
class FutureSelector(StandardFuture[Any]):
    """A future's item: all states are those of the future it looks at; ``result()`` gives ``result[key]``.

    A result of None has no items: it stays None. Callbacks get the future that is looked at.
    """

    def __init__(self, future: StandardFuture[Any], selector: Any) -> None:
        # The base class's __init__ is left out on purpose: all state is the other future's.
        self._future = future
        self._selector = selector

    def __getattr__(self, name: str) -> Any:
        return getattr(self.__dict__["_future"], name)

    def result(self, timeout: float | None = None) -> Any:
        """The item. ``KeyError`` or ``IndexError`` if there is none; else as the future that is looked at."""
        value = self._future.result(timeout)
        return None if value is None else value[self._selector]

    def exception(self, timeout: float | None = None) -> BaseException | None:
        """What the call raised, or None."""
        return self._future.exception(timeout)

    def cancel(self) -> bool:
        """Cancels the future that is looked at."""
        return self._future.cancel()

    def cancelled(self) -> bool:
        """See ``concurrent.futures.Future``."""
        return self._future.cancelled()

    def running(self) -> bool:
        """See ``concurrent.futures.Future``."""
        return self._future.running()

    def done(self) -> bool:
        """See ``concurrent.futures.Future``."""
        return self._future.done()

    def add_done_callback(self, fn: Callable[[Any], object]) -> None:
        """``fn`` gets the future that is looked at."""
        self._future.add_done_callback(fn)

    def set_running_or_notify_cancel(self) -> bool:
        """See ``concurrent.futures.Future``."""
        return self._future.set_running_or_notify_cancel()

    def set_result(self, result: Any) -> None:
        """Sets the result of the future that is looked at."""
        self._future.set_result(result)

    def set_exception(self, exception: BaseException | None) -> None:
        """Sets the exception of the future that is looked at."""
        self._future.set_exception(exception)

    def _get_snapshot(self) -> tuple[bool, bool, Any, BaseException | None]:
        """Used by asyncio from Python 3.14 on: (done, cancelled, result, exception)."""
        if not self.done():
            return False, False, None, None
        if self.cancelled():
            return True, True, None, None
        error = self.exception()
        if error is not None:
            return True, False, None, error
        try:
            return True, False, self.result(), None
        except Exception as missing:
            return True, False, None, missing

    def __await__(self) -> Any:
        import asyncio

        return asyncio.wrap_future(self).__await__()

    def __repr__(self) -> str:
        return f"<FutureSelector {self._selector!r} of {self._future!r}>"


def split_future(future: StandardFuture[Any], n: int) -> list[FutureSelector]:
    """The first ``n`` items of a future's result, a view each."""
    return [FutureSelector(future=future, selector=index) for index in range(n)]


def get_item_from_future(future: StandardFuture[Any], key: Any) -> FutureSelector:
    """A view of ``result[key]``."""
    return FutureSelector(future=future, selector=key)
