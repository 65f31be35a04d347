# SPDX-License-Identifier: BSD-3-Clause
"""What one kind of executor makes of resources and options. All that differs between executors is here."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from swiftlet import _warnings
from swiftlet._errors import NotYetAvailableError, ResourceUnavailableError
from swiftlet._resources import Resources, asks_for, check_fits, checked, copied, hint_for, resources_of

EVERYWHERE = frozenset(
    {
        "cache_directory",
        "cache_key",
        "cwd",
        "error_log_file",
        "priority",
        "restart_limit",
        "run_time_max",
        "threads_per_core",
    }
)
"""The resource keys that need nothing but a process, so that every executor honours them."""


class Policy:
    """The rules of one kind of executor. Subclasses say what differs."""

    owner: str = "this executor"
    """The name of the executor's class, for messages."""
    strict: bool = True
    """An unknown key is refused; else there is a warning, and it is passed on in ``Resources.extra``."""
    honoured: frozenset[str] = EVERYWHERE
    """The keys of ``ResourceDict`` that may ask for something. Others may only have their default values."""
    options: frozenset[str] = frozenset({"cache_directory"})
    """Which of the constructor's ``cache_directory`` and ``openmpi_oversubscribe`` are honoured."""

    def read(self, resources: Mapping[str, Any] | None) -> dict[str, Any]:
        """A validated copy of a user's dict, without what is None.

        ``ResourceError`` for a value that is wrong by itself, and where the executor is strict for an
        unknown key.
        """
        known, unknown = copied(resources)
        values = {key: checked(key, value) for key, value in known.items()}
        if unknown and self.strict:
            raise hint_for(next(iter(unknown)))
        if unknown:
            _warnings.warn(self.unknown_keys(unknown))
        return {**values, **unknown}

    def unknown_keys(self, unknown: Mapping[str, Any]) -> str:
        """The warning about keys that are passed on without being understood."""
        return f"The following keys are not recognized and cannot be validated: {sorted(map(str, unknown))}"

    def merge(self, base: Mapping[str, Any], call: Mapping[str, Any], limit: int | None) -> Resources:
        """The resources of a call: its own, else the executor's (``base``). Both were read already.

        ``limit``: the cores that running calls may use together. ``ResourceUnavailableError`` for what the
        executor does not offer, ``ResourceError`` for what it can never give.
        """
        both = {**base, **call}
        for key, value in both.items():
            if key not in self.honoured and asks_for(key, value):
                raise self.unavailable(key, value)
        if "cache_key" in base and "cache_key" not in call:
            both["cache_prefix"] = both.pop("cache_key")
        resources = resources_of(both)
        self.check(resources, limit)
        return resources

    def check(self, resources: Resources, limit: int | None) -> None:
        """The executor's own rules. ``ResourceError`` for what can never be had."""
        check_fits(resources, limit)

    def request(self, resources: Resources) -> Mapping[str, Any]:
        """The attributes of REQUEST for what a call needs."""
        return resources.request()

    def unavailable(self, key: str, value: Any) -> ResourceUnavailableError:
        """The refusal of a legal key."""
        if key == "gpus_per_core":
            return ResourceUnavailableError(
                f"GPU assignment is not supported by {self.owner}: resource_dict has gpus_per_core={value}; "
                "leave it out"
            )
        return ResourceUnavailableError(
            f"resource_dict[{key!r}] = {value!r} is not available on {self.owner} in this version"
        )

    def refuse_options(self, **options: Any) -> None:
        """``NotYetAvailableError`` for an argument of the constructor that asks for what is not offered."""
        for name, value in options.items():
            if value and name not in self.options:
                raise NotYetAvailableError(
                    f"{name}={value!r} is not available on {self.owner} in this version"
                )


def for_the_launcher(settings: dict[str, Any]) -> None:
    """Nodes and GPUs in attributes of REQUEST are asked of the launcher: the engine has none to give."""
    for key, name in (
        ("nodes", "step_nodes"),
        ("exclusive", "step_exclusive"),
        ("gpus_per_core", "step_gpus"),
    ):
        if key in settings:
            settings[name] = settings.pop(key)


def set_step_directory(settings: dict[str, Any], resources: Resources) -> None:
    """The launcher starts the step in the call's directory, which is made."""
    if resources.cwd is not None:
        settings["step_directory"] = os.path.abspath(resources.cwd)
        os.makedirs(resources.cwd, exist_ok=True)
