# SPDX-License-Identifier: BSD-3-Clause
"""Keys of ``resource_dict`` that are options of sbatch, such as ``partition``."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping
from typing import Any

from swiftlet._errors import ResourceError
from swiftlet._resources import KEYS

# fmt: off
OPTIONS = frozenset({
    "account", "acctg_freq", "batch", "bb", "begin", "chdir", "clusters", "comment", "constraint",
    "container", "contiguous", "core_spec", "cores_per_socket", "cpu_freq", "cpus_per_gpu", "cpus_per_task",
    "deadline", "delay_boot", "distribution", "exclude", "get_user_env", "gpu_bind", "gpu_freq", "gpus",
    "gpus_per_node", "gpus_per_socket", "gpus_per_task", "gres", "gres_flags", "hint", "hold", "licenses",
    "mail_type", "mail_user", "mcs_label", "mem", "mem_bind", "mem_per_cpu", "mem_per_gpu", "mincpus",
    "network", "nice", "no_kill", "no_requeue", "nodelist", "nodes", "ntasks_per_core", "ntasks_per_gpu",
    "ntasks_per_node", "ntasks_per_socket", "overcommit", "oversubscribe", "partition", "power", "prefer",
    "profile", "propagate", "qos", "reboot", "requeue", "reservation", "signal", "sockets_per_node",
    "spread_job", "switches", "thread_spec", "time", "time_min", "tmp", "use_min_nodes", "wckey",
})
# fmt: on
"""sbatch's long options by their names in Python."""

OURS = {
    "array": "calls that ask for the same become arrays by themselves",
    "dependency": "futures as arguments become dependencies",
    "kill_on_invalid_dep": "it is always yes",
    "parsable": "it is how the job's number is read",
    "wait": "futures are what waits",
    "wrap": "the call is what runs",
}
"""Options whose meaning the executor has taken."""


def options(extra: Mapping[str, Any]) -> list[str]:
    """The options that these keys stand for: ``name=value``, or ``name`` for a switch.

    ``ResourceError`` for a value that no option can have. Keys that are no options are left out.
    """
    found = []
    for key, value in extra.items():
        name = key.replace("_", "-")
        if key in OURS:
            raise ResourceError(f"resource_dict[{key!r}] cannot be set: {OURS[key]}")
        if key not in OPTIONS or value is None or value is False:
            continue
        if value is True:
            found.append(name)
            continue
        if isinstance(value, (list, tuple)):
            value = ",".join(map(str, value))
        if not isinstance(value, (str, int, float)) or any(bad in str(value) for bad in "\0\n\r"):
            raise ResourceError(
                f"resource_dict[{key!r}] has to be a text in one line, a number or a switch, not {value!r}"
            )
        found.append(f"{name}={value}")
    return found


def not_understood(
    extra: Iterable[str], template: str | None, known: frozenset[str] = OPTIONS | frozenset(OURS)
) -> str | None:
    """A warning about the keys that neither the system (``known``) nor the template knows; None if there are
    none.
    """
    strange = [key for key in extra if key not in known and not _mentions(template, key)]
    if not strange:
        return None
    text = f"The following keys are not recognized and cannot be validated: {sorted(strange)}"
    hints = {key: difflib.get_close_matches(key, [*KEYS, *sorted(known)], 1, 0.75) for key in strange}
    for key, close in hints.items():
        if close:
            text += f"; did you mean {close[0]!r} instead of {key!r}?"
    where = "its submission_template does not use them" if template else "there is no submission_template"
    return f"{text}. They have no effect: {where}."


def _mentions(template: str | None, key: str) -> bool:
    return template is not None and re.search(rf"\b{re.escape(key)}\b", template) is not None
