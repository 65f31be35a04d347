# SPDX-License-Identifier: BSD-3-Clause
"""What is in a cache directory, and how its waiting calls are ended."""

from __future__ import annotations

from concurrent.futures import Future as StandardFuture
from typing import Any, NoReturn

from swiftlet._errors import NotYetAvailableError


def get_cache_data(cache_directory: str) -> list[dict[str, Any]]:
    """What is known of each call in the directory. Not available yet: ``NotYetAvailableError``."""
    _missing("get_cache_data")


def get_cache_data_queue(
    cache_directory: str, queue_type: str | None = None, config_directory: str | None = None
) -> list[dict[str, Any]]:
    """``get_cache_data`` with the ``status`` of each call. Not available yet: ``NotYetAvailableError``."""
    _missing("get_cache_data_queue")


def get_future_from_cache(cache_directory: str, cache_key: str) -> StandardFuture[Any]:
    """The future of a call in the directory. Not available yet: ``NotYetAvailableError``."""
    _missing("get_future_from_cache")


def terminate_tasks_in_cache(
    cache_directory: str, pysqa_config_directory: str | None = None, backend: str | None = None
) -> None:
    """Ends all waiting and running calls of the directory. Not available yet: ``NotYetAvailableError``."""
    _missing("terminate_tasks_in_cache")


def terminate_task_in_cache(
    cache_directory: str,
    cache_key: str,
    pysqa_config_directory: str | None = None,
    backend: str | None = None,
) -> None:
    """Ends one call of the directory. Not available yet: ``NotYetAvailableError``."""
    _missing("terminate_task_in_cache")


def _missing(name: str) -> NoReturn:
    raise NotYetAvailableError(
        f"{name} is not available in this version: the store behind cache_directory is missing"
    )
