# SPDX-License-Identifier: BSD-3-Clause
"""Jobs that the engine has its client submit: by a ``flux.job.FluxExecutor`` of the user's, or by the
``flux`` command, which signs them where an instance belongs to somebody else.
"""

from __future__ import annotations

import os
import subprocess
import threading
from typing import TYPE_CHECKING, Any

from swiftlet import _wire
from swiftlet._wire import AttributeValue

if TYPE_CHECKING:
    from swiftlet._connection import Connection


def check_flux_executor(flux_executor: Any) -> None:
    """``TypeError`` for what cannot submit jobs as a ``flux.job.FluxExecutor`` does."""
    has_methods = all(callable(getattr(flux_executor, name, None)) for name in ("submit", "attach"))
    if flux_executor is None or (has_methods and not isinstance(flux_executor, type)):
        return
    is_class = isinstance(flux_executor, type)
    what = f"the class {flux_executor.__name__}" if is_class else f"a {type(flux_executor).__name__}"
    raise TypeError(
        f"flux_executor has to be a flux.job.FluxExecutor (what flux.job.FluxExecutor() returns), not {what}"
    )


class FluxSubmitter:
    """Submits, on a thread of its own, the jobs of one connection until that ends."""

    def __init__(self, flux_executor: Any, uri: str | None, connection: Connection) -> None:
        self._executor = flux_executor
        self._uri = uri
        self._connection = connection
        threading.Thread(target=self._run, name="swiftlet-flux", daemon=True).start()

    def _answer(self, number: int, attributes: dict[str, AttributeValue]) -> None:
        frame = _wire.frame(_wire.FLUX_SUBMITTED, number, _wire.pack_attributes(attributes))
        self._connection.outgoing.post(frame)

    def _run(self) -> None:
        while (entry := self._connection.job_submissions.get()) is not None:
            number, body = entry
            wanted = _wire.unpack_attributes(body)[0]
            jobspec, urgency = str(wanted["jobspec"]), int(wanted["urgency"])  # type: ignore[arg-type]
            try:
                if self._executor is None:
                    self._answer(number, {"job": self._by_command(jobspec, urgency)})
                else:
                    self._by_executor(number, jobspec, urgency)
            except Exception as error:
                self._answer(number, {"error": str(error) or repr(error)})

    def _by_command(self, jobspec: str, urgency: int) -> str:
        """The id that ``flux job submit`` prints."""
        command = ["flux", "job", "submit", f"--urgency={urgency}"]
        environment = dict(os.environ) if self._uri is None else {**os.environ, "FLUX_URI": self._uri}
        answer = subprocess.run(
            command, input=jobspec.encode(), env=environment, capture_output=True, check=False
        )
        if answer.returncode != 0:
            raise RuntimeError(answer.stderr.decode(errors="replace").strip())
        return answer.stdout.decode().strip()

    def _by_executor(self, number: int, jobspec: str, urgency: int) -> None:
        def has_id(future: Any) -> None:
            try:
                self._answer(number, {"job": str(int(future.jobid(0)))})
            except Exception as error:
                self._answer(number, {"error": str(error) or repr(error)})

        self._executor.submit(jobspec, urgency=urgency).add_jobid_callback(has_id)
