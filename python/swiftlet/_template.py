# SPDX-License-Identifier: BSD-3-Clause
"""Batch scripts from a user's template: Jinja2 renders it, with the variables that executorlib gives."""

from __future__ import annotations

import difflib
import functools
import math
import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from swiftlet._errors import ResourceError
from swiftlet._resources import Resources

if TYPE_CHECKING:
    from jinja2.sandbox import SandboxedEnvironment


class Template:
    """The template of a script, read once; ``name`` says in errors which one it is.

    ``ModuleNotFoundError`` without Jinja2; ``ResourceError`` if it is no template.
    """

    def __init__(self, text: str, name: str = "submission_template") -> None:
        self.text = text
        self._name = name
        try:
            from jinja2 import TemplateError, meta
        except ModuleNotFoundError as error:
            raise ModuleNotFoundError(
                "submission_template needs Jinja2: pip install 'swiftlet[cluster]'", name=error.name
            ) from None
        self._errors: type[Exception] = TemplateError
        environment = _environment()
        try:
            self._template = environment.from_string(text)
            used = meta.find_undeclared_variables(environment.parse(text))
        except TemplateError as error:
            raise ResourceError(f"{name} is no Jinja2 template: {error}") from error
        if "command" not in used:
            raise ResourceError(
                f"{name} has to be the text of a script (not its path) in which {{{{command}}}} runs the "
                f"call; there is none in {text[:60]!r}"
            )

    def render(self, values: dict[str, Any]) -> str:
        """The script. ``ResourceError`` if it cannot be rendered with these variables."""
        try:
            return _with_quotes(self._template.render(values), values["working_directory"])
        except _NoVariable as missing:
            raise ResourceError(self._without(missing.name, values)) from None
        except (self._errors, TypeError, ValueError, ArithmeticError) as error:
            raise ResourceError(f"{self._name} cannot be rendered: {error}") from error

    def check_names(self, values: dict[str, Any]) -> None:
        """``ResourceError`` if it writes a variable that is not among these, with inputs or without."""
        for inputs in [], [1]:
            tried = {**values, "dependency": inputs, "dependency_list": inputs}
            try:
                self._template.render(tried)
            except _NoVariable as missing:
                raise ResourceError(self._without(missing.name, values)) from None
            except (self._errors, TypeError, ValueError, ArithmeticError):
                pass  # whether that is so for the call is seen when its inputs are known

    def _without(self, name: str, values: dict[str, Any]) -> str:
        near = difflib.get_close_matches(name, values, 1, 0.6)
        return (
            f"{self._name} uses {name!r}, which is no variable of this call"
            + (f". Did you mean {near[0]!r}?" if near else ".")
            + f" There are: {', '.join(sorted(values))}. Any other key of resource_dict becomes one, too\n"
            f"hint: {{% if {name} %}} or {{{{ {name} | default(...) }}}} is for what a call may leave out"
        )


class _NoVariable(Exception):
    """A template writes what it was not told."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name


@functools.cache
def _environment() -> SandboxedEnvironment:
    """One in which a name that stands for nothing can be tested, but not written or iterated over."""
    from jinja2 import Undefined
    from jinja2.sandbox import SandboxedEnvironment
    from jinja2.utils import missing

    class Absent(Undefined):
        def _refuse(self) -> None:
            # An element or attribute of something that exists is empty, as anywhere in Jinja2.
            if self._undefined_name is not None and self._undefined_obj is missing:
                raise _NoVariable(self._undefined_name)

        def __str__(self) -> str:
            self._refuse()
            return super().__str__()

        def __iter__(self) -> Iterator[Any]:
            self._refuse()
            return super().__iter__()

    return SandboxedEnvironment(undefined=Absent)


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
