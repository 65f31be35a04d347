# SPDX-License-Identifier: BSD-3-Clause
"""Batch scripts from a user's template: Jinja2 renders it, with the variables that executorlib gives."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Any

from swiftlet._errors import ResourceError
from swiftlet._resources import Resources


class Template:
    """A ``submission_template``, read once.

    ``ModuleNotFoundError`` without Jinja2; ``ResourceError`` if it is no template.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        try:
            from jinja2 import TemplateError, meta
            from jinja2.sandbox import SandboxedEnvironment
        except ModuleNotFoundError as error:
            raise ModuleNotFoundError(
                "submission_template needs Jinja2: pip install 'swiftlet[cluster]'", name=error.name
            ) from None
        self._errors: type[Exception] = TemplateError
        try:
            environment = SandboxedEnvironment()
            self._template = environment.from_string(text)
            used = meta.find_undeclared_variables(environment.parse(text))
        except TemplateError as error:
            raise ResourceError(f"submission_template is no Jinja2 template: {error}") from error
        if "command" not in used:
            raise ResourceError(
                "submission_template has to be the text of a script (not its path) in which {{command}} runs "
                f"the call; there is none in {text[:60]!r}"
            )

    def render(self, variables: dict[str, Any]) -> str:
        """The script. ``ResourceError`` if it cannot be rendered with these variables."""
        try:
            return _with_quotes(self._template.render(variables), variables["working_directory"])
        except (self._errors, TypeError, ValueError, ArithmeticError) as error:
            raise ResourceError(f"submission_template cannot be rendered: {error}") from error


_DIRECTIVE = re.compile(r"#(SBATCH|\W*(flux|FLUX):)")


def _whole(number: float | None) -> float | int | None:
    """4.0 as 4: a template writes ``--mem={{memory_max}}G``."""
    return int(number) if number is not None and number == int(number) else number


def _with_quotes(script: str, directory: str) -> str:
    """The script with the directory in quotes where a directive names it: sbatch and flux split these lines
    at blanks, which executorlib refuses in paths.
    """
    if not re.search(r"\s", directory):
        return script
    quoted = '"' + directory.replace("\\", "\\\\").replace('"', '\\"') + '"'
    lines = script.split("\n")
    for number, line in enumerate(lines):
        before, found, after = line.partition(directory)
        if _DIRECTIVE.match(line) and found and not before.endswith(("'", '"')):
            rest, blank, more = after.partition(" ")
            lines[number] = f'{before}{quoted[:-1]}{rest}"{blank}{more}'
    return "\n".join(lines)


def variables(
    resources: Resources, *, command: str, job_name: str, directory: str, dependencies: Sequence[int]
) -> dict[str, Any]:
    """What a template may use (executorlib's names): the call's keys, and what only the executor knows.

    ``cores`` are ranks times threads, ``run_time_max`` whole seconds, ``memory_max`` GB.
    """
    limit = resources.run_time_max
    return {
        "threads_per_core": resources.threads_per_core or 1,
        "gpus_per_core": resources.gpus_per_core,
        "num_nodes": resources.num_nodes,
        "exclusive": resources.exclusive,
        "priority": resources.priority,
        "slurm_cmd_args": list(resources.slurm_cmd_args),
        **resources.extra,
        "memory_max": _whole(resources.memory_max),
        "cores": resources.total_cores,
        "run_time_max": None if limit is None else math.ceil(limit),
        "command": command,
        "job_name": job_name,
        "working_directory": directory,
        "dependency": list(dependencies),
        "dependency_list": list(dependencies),
    }
