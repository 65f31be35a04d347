# SPDX-License-Identifier: BSD-3-Clause
"""Who works on an entry, as its claim says, and whether that one is still alive."""

from __future__ import annotations

import json
import os
from typing import Any, NamedTuple

from swiftlet import _entries, _job_queues, _lifesign

STALE_AFTER = 120
"""Seconds without a sign of life after which the claim of another host is stale."""


class Job(NamedTuple):
    """A job that will write the outcome."""

    system: str
    number: int
    element: int | None
    """Its place in a job array."""


class Holder(NamedTuple):
    """What a claim says and what is known of whoever made it."""

    state: str
    """``running`` (somebody is at it), ``pending`` (it waits in a queue, or to be queued), ``aborted``
    (whoever worked on it is gone)."""
    job: Job | None
    text: str
    """The same for humans."""


def holder(directory: str, key: str, backend: str | None = None) -> Holder:
    """Who works on the entry. ``backend``: the queue to ask where the claim does not say."""
    path = os.path.join(directory, key) + _entries.CLAIM
    try:
        claim: dict[str, Any] = json.loads(_entries.read_trusted(path))
        modified = os.stat(path).st_mtime
    except FileNotFoundError:
        return Holder("aborted", None, "nobody has claimed it")
    except (OSError, ValueError) as error:
        return Holder("aborted", None, f"its claim cannot be read: {error}")
    if claim.get("isNotQueued"):
        return Holder("pending", None, "it has not been queued yet; submit the call again to have it queued")
    job = _job(claim, backend)
    if job is not None:
        state = _job_queues.status(job.system, job.number, job.element)
        where = f"job {job.number} of {job.system}"
        return Holder(state or "aborted", job, f"{where} is {state or 'not known there any more'}")
    who = f"process {claim.get('pid')} on {claim.get('host')}"
    if is_alive(claim, path, modified):
        return Holder("running", None, f"{who} works on it")
    return Holder("aborted", None, f"{who}, which worked on it, is gone")


def holder_job(directory: str, key: str, backend: str | None) -> Job | None:
    """The job that the claim names; nothing is asked."""
    try:
        claim = json.loads(_entries.read_trusted(os.path.join(directory, key) + _entries.CLAIM))
    except (OSError, ValueError):
        return None
    return _job(claim, backend)


def _job(claim: dict[str, Any], backend: str | None) -> Job | None:
    job = claim.get("job")
    if not isinstance(job, dict):
        return None
    return Job(job.get("system") or backend or "", int(job["id"]), job.get("index"))


def is_alive(claim: dict[str, Any], path: str, modified: float) -> bool:
    """Whether the process that made a claim lives, as far as can be seen from here."""
    lives = _lifesign.lives(claim)
    if lives is not None:
        return lives
    now = _lifesign.now(os.path.dirname(path))
    return now is None or now - modified <= STALE_AFTER
