# SPDX-License-Identifier: BSD-3-Clause
"""What is in a cache directory, and how its waiting calls are ended."""

from __future__ import annotations

import os
import pickle
from collections.abc import Iterator
from concurrent.futures import Future as StandardFuture
from typing import Any

from swiftlet import _entries, _entry_claims, _hdf5, _job_queues, _payload, _warnings, _watch
from swiftlet._entries import OUTCOME, SUFFIX, TASK, Entry
from swiftlet._futures import Future


class MissingInput:
    """Stands for an argument that is the value of another call, whose entry has none (any more)."""

    def __init__(self, key: str) -> None:
        self.key = key

    def __repr__(self) -> str:
        return f"<value of {self.key}>"

    def __getitem__(self, key: object) -> MissingInput:
        return MissingInput(f"{self.key}[{key!r}]")


def get_cache_data(cache_directory: str) -> list[dict[str, Any]]:
    """What is known of each call in the directory and below, one dict for each.

    Keys, as far as there is something to say: ``function``, ``input_args``, ``input_kwargs``,
    ``resource_dict``, ``output`` or ``error``, ``runtime`` (seconds), ``queue_id``, ``provenance``,
    ``filename``. Values are unpickled, which runs code: only entries of this user, root, and
    ``SWIFTLET_TRUST_OWNERS`` are. A file that cannot be used is left out with a warning. A directory that
    does not exist is empty.
    """
    return [described for _, _, described in _described(cache_directory)]


def get_cache_data_queue(
    cache_directory: str, queue_type: str | None = None, config_directory: str | None = None
) -> list[dict[str, Any]]:
    """``get_cache_data`` with the ``status`` of each call: ``finished``, ``error``, ``running``, ``pending``
    or ``aborted``.

    ``queue_type``: the queue of jobs whose entries do not say it. ``config_directory`` is not needed.
    """
    found = []
    for directory, key, described in _described(cache_directory):
        if "output" in described:
            state = "finished"
        elif "error" in described:
            state = "error"
        else:
            state = _entry_claims.holder(directory, key, queue_type).state
        found.append({**described, "status": state})
    return found


def get_future_from_cache(cache_directory: str, cache_key: str) -> StandardFuture[Any]:
    """The future of a call in the directory. That of a call still under way completes when its outcome is
    there.

    Raises the error of a call that ended with one. ``FileNotFoundError`` if there is no such call,
    ``EntryError`` (an ``OSError``) if its file cannot be used.
    """
    directory = os.path.abspath(cache_directory)
    future: Future[Any] = Future(name=cache_key)
    try:
        entry = _entries.read(directory, cache_key, OUTCOME)
    except FileNotFoundError:
        pass
    else:
        error = _watch.settle(future, entry)
        if error is not None:
            raise error
        return future
    if os.path.exists(_entries.path_of(directory, cache_key, TASK)):
        _watch.watch(future, directory, cache_key)
        return future
    old = _hdf5.future_of(directory, cache_key)
    if old is not None:
        return old
    raise FileNotFoundError(
        f"Neither input nor output file for cache key {cache_key} found in cache directory {cache_directory}."
    )


def terminate_tasks_in_cache(
    cache_directory: str, pysqa_config_directory: str | None = None, backend: str | None = None
) -> None:
    """Ends all waiting and running calls of the directory: their jobs are cancelled, their tasks removed.

    ``backend``: the queue of jobs whose entries do not say it; ``pysqa_config_directory`` is not needed.
    """
    for directory, key, role in entries_below(cache_directory):
        if role == TASK:
            _terminate(directory, key, backend)


def terminate_task_in_cache(
    cache_directory: str,
    cache_key: str,
    pysqa_config_directory: str | None = None,
    backend: str | None = None,
) -> None:
    """Ends one call of the directory. ``FileNotFoundError`` if it neither waits nor runs."""
    directory = os.path.abspath(cache_directory)
    path = _entries.path_of(directory, cache_key, TASK)
    if not os.path.exists(path):
        raise FileNotFoundError(
            f"no call {cache_key!r} waits or runs in {cache_directory}: there is no {path}"
        )
    _terminate(directory, cache_key, backend)


def _terminate(directory: str, key: str, backend: str | None) -> None:
    # Its job sees within two seconds that its task is gone, whatever runs it.
    job = _entry_claims.holder_job(directory, key, backend)
    _entries.remove(directory, key, SUFFIX[TASK])
    if job is not None:
        _job_queues.cancel(job.system, job.number, job.element)
    _entries.remove(directory, key, _entries.CLAIM)


def _described(cache_directory: str) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for directory, key, role in entries_below(cache_directory):
        try:
            entry = _entries.read(directory, key, role)
        except FileNotFoundError:
            continue
        except OSError as error:
            _warnings.warn(str(error))
            continue
        yield directory, key, _describe(directory, key, role, entry)
    for described in _hdf5.described(cache_directory):
        yield os.path.abspath(cache_directory), "", described


def entries_below(cache_directory: str) -> Iterator[tuple[str, str, int]]:
    """(directory, key, role) of each entry; of one with an outcome only that."""
    top = os.path.abspath(cache_directory)
    for folder, folders, names in os.walk(top):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        outcomes = {name[: -len(SUFFIX[OUTCOME])] for name in names if name.endswith(SUFFIX[OUTCOME])}
        tasks = {name[: -len(SUFFIX[TASK])] for name in names if name.endswith(SUFFIX[TASK])} - outcomes
        for name in sorted(outcomes | tasks):
            if not name.startswith("."):
                key = os.path.relpath(os.path.join(folder, name), top)
                yield top, key, OUTCOME if name in outcomes else TASK


def _describe(directory: str, key: str, role: int, entry: Entry) -> dict[str, Any]:
    path = _entries.path_of(directory, key, role)
    header = entry.header
    described: dict[str, Any] = {}
    try:
        if entry.named("function"):
            described["function"] = pickle.loads(entry.named("function")[0][1:])
        if entry.named("arguments"):
            loaded = _payload.loads(entry.named("arguments"), None, _input_loaders(directory, header))
            described["input_args"] = loaded[0] if type(loaded) is tuple else loaded
            described["input_kwargs"] = loaded[1] if type(loaded) is tuple else {}
    except Exception as error:
        _warnings.warn(f"{path}: what was called cannot be loaded: {error}")
    described["resource_dict"] = header.get("resources") or {}
    provenance = header.get("provenance") or {}
    if role == OUTCOME:
        future: Future[Any] = Future()
        try:
            raised = _watch.settle(future, entry)
            described["output" if raised is None else "error"] = future.result() if raised is None else raised
        except Exception as failure:
            _warnings.warn(f"{path}: its value cannot be loaded: {failure}")
        described["runtime"] = provenance.get("duration")
        described["provenance"] = provenance
    job = _entry_claims.holder_job(directory, key, None) if role == TASK else None
    queue_id = provenance.get("queue_id") if job is None else job.number
    if queue_id is not None:
        described["queue_id"] = queue_id
    described["filename"] = path
    return described


def _input_loaders(directory: str, header: dict[str, Any]) -> Any:
    def loader(name: str) -> Any:
        def load() -> Any:
            place = os.path.split(name) if name.startswith("/") else (directory, name)
            try:
                entry = _entries.read(place[0], place[1], OUTCOME)
                if entry.header.get("kind") == "value":
                    return _payload.loads(entry.named("value"))
            except OSError:
                pass
            return MissingInput(name)

        return load

    return [loader(name) for name in header.get("inputs") or ()]
