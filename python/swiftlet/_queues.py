# SPDX-License-Identifier: BSD-3-Clause
"""``pysqa_config_directory``: a description of queues as pysqa has it, queue.yaml or clusters.yaml."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from swiftlet import _warnings
from swiftlet._errors import ResourceError
from swiftlet._resources import Resources
from swiftlet._template import Template


@dataclass(frozen=True)
class Queue:
    """One queue: the template of its batch script, and what a call may ask of it."""

    name: str
    template: Template
    cores_min: int | None = None
    cores_max: int | None = None
    run_time_max: float | None = None
    memory_max: float | None = None

    def check(self, resources: Resources) -> None:
        """``ResourceError`` for more cores than the queue has; a warning for a limit that will be lowered."""
        if self.cores_max is not None and resources.total_cores > self.cores_max:
            raise ResourceError(
                f"queue {self.name!r} takes calls of at most {self.cores_max} cores; this one asks for "
                f"{resources.total_cores}"
            )
        for key, asked, most in (
            ("run_time_max", resources.run_time_max, self.run_time_max),
            ("memory_max", resources.memory_max, self.memory_max),
        ):
            if asked is not None and most is not None and asked > most:
                _warnings.warn(f"queue {self.name!r} allows {key}={most}: {asked} is lowered to that")

    def within_limits(self, variables: dict[str, Any]) -> dict[str, Any]:
        """The template's variables, each within the queue's limits."""
        found = dict(variables)
        if self.cores_min is not None:
            found["cores"] = max(found["cores"], self.cores_min)
        for key, most in (("run_time_max", self.run_time_max), ("memory_max", self.memory_max)):
            asked = found.get(key)
            if most is not None:
                found[key] = most if asked is None else min(asked, most)
        return found


class Queues:
    """The queues of one cluster.

    ``ValueError`` if there is no description in the directory or it is not one of ``system`` (SLURM or FLUX);
    ``ModuleNotFoundError`` without PyYAML.
    """

    def __init__(self, directory: str, system: str = "SLURM") -> None:
        self._directory = Path(directory).resolve()
        description = self._read()
        kind = str(description.get("queue_type", "")).upper()
        if kind != system:
            raise ValueError(
                f"{self._directory}: queue_type is {kind or 'missing'}; this executor needs {system}"
            )
        queues = description.get("queues")
        if not isinstance(queues, Mapping) or not queues:
            raise ValueError(f"{self._directory}: the description has no queues")
        self._queues = {str(name): self._queue(str(name), values or {}) for name, values in queues.items()}
        self.primary = str(description.get("queue_primary") or next(iter(self._queues)))

    def __getitem__(self, name: str | None) -> Queue:
        """The queue of that name, or the primary one. ``ResourceError`` if there is none."""
        try:
            return self._queues[name or self.primary]
        except KeyError:
            raise ResourceError(
                f"there is no queue {name or self.primary!r} in {self._directory}; there are: "
                + ", ".join(self._queues)
            ) from None

    def _read(self) -> Mapping[str, Any]:
        file = self._directory / "queue.yaml"
        if not file.is_file():
            clusters = self._directory / "clusters.yaml"
            if not clusters.is_file():
                raise ValueError(
                    f"Neither a queue.yaml file nor a clusters.yaml file were found in {self._directory}"
                )
            known = _yaml(clusters)
            primary = known.get("cluster_primary")
            names = known.get("cluster")
            if not isinstance(names, Mapping) or primary not in names:
                raise ValueError(f"{clusters}: 'cluster' does not describe its 'cluster_primary' {primary!r}")
            file = self._directory / str(names[primary])
        return _yaml(file)

    def _queue(self, name: str, values: Mapping[str, Any]) -> Queue:
        script = values.get("script")
        if not script:
            raise ValueError(f"{self._directory}: queue {name!r} has no script")
        return Queue(
            name,
            Template((self._directory / str(script)).read_text(), f"the script of queue {name!r}"),
            cores_min=values.get("cores_min"),
            cores_max=values.get("cores_max"),
            run_time_max=values.get("run_time_max"),
            memory_max=values.get("memory_max"),
        )


def _yaml(file: Path) -> Mapping[str, Any]:
    try:
        import yaml
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            "pysqa_config_directory needs PyYAML: pip install 'swiftlet[cluster]'", name=error.name
        ) from None
    try:
        content = yaml.safe_load(file.read_text())
    except yaml.YAMLError as error:
        raise ValueError(f"{file} is not YAML: {error}") from error
    if not isinstance(content, Mapping):
        raise ValueError(f"{file} does not describe queues")
    return content
