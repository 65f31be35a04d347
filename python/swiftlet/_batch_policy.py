# SPDX-License-Identifier: BSD-3-Clause
"""The rules of executors whose jobs are batch scripts: which template, which queue, which keys."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from swiftlet import _batch_options, _warnings
from swiftlet._cluster import ClusterPolicy
from swiftlet._queues import Queue, Queues
from swiftlet._resources import Resources, checked, copied
from swiftlet._template import Template, variables

if TYPE_CHECKING:
    from swiftlet._cluster_session import ClusterSession
    from swiftlet._job_pool import JobPool


class BatchPolicy(ClusterPolicy):
    """A script is the user's ``submission_template``, that of a queue of pysqa's, or the executor's own."""

    honoured = (ClusterPolicy.honoured - {"restart_limit"}) | {
        "cores",
        "exclusive",
        "gpus_per_core",
        "memory_max",
        "mpi_result",
        "num_nodes",
        "submission_template",
    }
    known: ClassVar[frozenset[str]]
    """Keys beside the legal ones that the system itself understands."""

    def __init__(self, queues: Queues | None, warm: bool) -> None:
        self._queues = queues
        self._base_template: str | None = None
        if warm:
            self.honoured = self.honoured | {"restart_limit"}

    def read(self, resources: Mapping[str, Any] | None) -> dict[str, Any]:
        known, unknown = copied(resources)
        values = {key: checked(key, value) for key, value in known.items()}
        if self._queues is None:
            others = (key for key in unknown if key != "queue")
            template = values.get("submission_template") or self._base_template
            strange = _batch_options.not_understood(others, template, self.known)
            if strange:
                _warnings.warn(strange)
        return {**values, **unknown}

    def check(self, resources: Resources, limit: int | None) -> None:
        """``ResourceError`` for what the system can never be asked for."""
        super().check(resources, limit)
        queue = self.queue(resources)
        if queue is not None:
            queue.check(resources)
        elif resources.submission_template is not None:
            compiled(resources.submission_template)

    def queue(self, resources: Resources) -> Queue | None:
        """Which of pysqa's queues a call goes to; None where there is no description of queues."""
        name = resources.extra.get("queue")
        if self._queues is not None:
            return self._queues[name]
        if name is not None:
            self.check_queue(name)
        return None

    def check_queue(self, name: Any) -> None:
        """``ResourceError`` if ``queue`` means nothing without a description of queues."""
        raise NotImplementedError

    def template(self, resources: Resources) -> str | None:
        """The template of a call's script, where it is none of the executor's own."""
        queue = self.queue(resources)
        return queue.template.text if queue is not None else resources.submission_template

    def checked_template(self, resources: Resources) -> str | None:
        """The same; ``ResourceError`` if it writes a variable that such a call does not have."""
        text = self.template(resources)
        if text is not None:
            self._compiled(resources).check_names(self._variables(resources, "", "call", "/", ()))
        return text

    def render_for(self, session: ClusterSession | JobPool, base: Resources) -> None:
        """From now on the session's engine has its scripts rendered by these rules. ``base``: what calls ask
        for that say nothing else.
        """
        self._base_template = base.submission_template
        session.connection.render = functools.partial(self._script, session.resources_of)

    def _script(self, resources_of: Mapping[int, Resources], known: Mapping[str, Any]) -> str:
        """The batch script of a call whose resources name a template or a queue."""
        resources = resources_of[known["request"]]
        dependencies = [int(job.partition("_")[0]) for job in known.get("dependencies", ())]
        values = self._variables(
            resources, known["command"], known["job_name"], known["working_directory"], dependencies
        )
        return self._compiled(resources).render(values)

    def _compiled(self, resources: Resources) -> Template:
        queue = self.queue(resources)
        return queue.template if queue is not None else compiled(resources.submission_template or "")

    def _variables(
        self,
        resources: Resources,
        command: str,
        name: str,
        directory: str,
        dependencies: Sequence[int],
    ) -> dict[str, Any]:
        """What the template of a call is told, within the limits of its queue."""
        values = variables(
            resources, command=command, job_name=name, directory=directory, dependencies=dependencies
        )
        queue = self.queue(resources)
        return values if queue is None else queue.within_limits(values)


@functools.lru_cache(maxsize=64)
def compiled(template: str) -> Template:
    """The template, read once."""
    return Template(template)
