# SPDX-License-Identifier: BSD-3-Clause
"""``executor.graph()``: what ran, how long, and what came of it."""

from __future__ import annotations

import operator
import os
import signal
import time
from concurrent.futures import CancelledError

import pytest

from swiftlet import SingleNodeExecutor, get_item_from_future


def states(graph):
    return {call.name: call.state for call in graph.calls}


def die():
    os.kill(os.getpid(), signal.SIGKILL)


def test_states_inputs_and_durations(executor):
    graph = executor.graph()
    assert graph is executor.graph()
    assert graph.calls == []
    events = executor.events()
    first = executor.submit(divmod, 17, 5)
    total = executor.submit(operator.add, get_item_from_future(first, 0), [first][0])
    bad = executor.submit(operator.truediv, 1, 0)
    after = executor.submit(operator.neg, bad)
    slow = executor.submit(time.sleep, 60)
    waiting = executor.submit(operator.pos, slow)
    dead = executor.submit(die)
    for future in (total, after, dead):
        future.exception(60)
    next(event for event in events if (event.kind, event.task) == ("started", slow._ident))
    calls = {call.name: call for call in graph.calls}
    assert {name: call.state for name, call in calls.items()} == {
        "divmod": "done",
        "add": "failed",  # a tuple is no number
        "truediv": "failed",
        "neg": "failed",
        "sleep": "running",
        "pos": "waiting",
        "die": "failed",
    }
    assert calls["add"].inputs == [(calls["divmod"].number, "a[0]"), (calls["divmod"].number, "b")]
    assert calls["neg"].inputs == [(calls["truediv"].number, "a")]
    assert calls["neg"].duration is None
    assert 0 < calls["divmod"].duration < 60
    assert 0 < calls["sleep"].duration < 60
    slow.cancel()
    with pytest.raises(CancelledError):
        waiting.result(60)
    executor.shutdown()
    assert states(graph)["sleep"] == states(graph)["pos"] == "cancelled"


def test_the_duration_is_that_of_the_call(warm):
    graph = warm.graph()
    warm.submit(time.sleep, 0.2).result(60)
    (call,) = graph.calls
    assert call.state == "done"
    assert 0.2 <= call.duration < 10
    assert call.attempt == 1
    assert abs(call.started - time.time()) < 60


def test_texts_and_pictures(warm, tmp_path):
    graph = warm.graph()
    first = warm.submit(operator.neg, 3)
    warm.submit(operator.add, first, 1).result(60)
    mermaid = graph.mermaid()
    assert mermaid.splitlines()[0] == "flowchart TD"
    assert ":::done" in mermaid
    assert '-->|"a"|' in mermaid
    assert "neg\\ndone" in graph.dot()
    graph.save(tmp_path / "run.png")
    assert (tmp_path / "run.png").read_bytes().startswith(b"\x89PNG")
    bundle = graph._repr_mimebundle_()
    assert bundle["image/svg+xml"].count('class="node"') == 2
    assert set(bundle) == {"image/svg+xml", "text/plain"}


def test_without_graphviz_a_notebook_gets_mermaid(warm, tmp_path, monkeypatch):
    graph = warm.graph()
    warm.submit(operator.neg, 3).result(60)
    monkeypatch.setenv("PATH", str(tmp_path))
    bundle = graph._repr_mimebundle_()
    assert set(bundle) == {"text/markdown", "text/plain"}
    assert bundle["text/markdown"].startswith("```mermaid\nflowchart TD\n")
    with pytest.raises(RuntimeError, match="graphviz"):
        graph.svg()


def test_calls_that_are_open_when_it_begins(warm):
    slow = warm.submit(time.sleep, 0.3)
    graph = warm.graph()
    after = warm.submit(operator.not_, slow)
    other = SingleNodeExecutor(max_workers=1)
    foreign = other.submit(operator.neg, 1)
    mixed = warm.submit(operator.add, foreign, 1)
    after.result(60)
    assert mixed.result(60) == 0
    other.shutdown()
    calls = {call.name: call for call in graph.calls}
    assert calls["sleep"].state == calls["not_"].state == calls["add"].state == "done"
    assert calls["not_"].inputs == [(calls["sleep"].number, "a")]
    assert calls["add"].inputs == [(None, "a")]
    assert '(("future"))' in graph.mermaid()


def test_map_and_many_calls(warm):
    graph = warm.graph()
    assert sum(warm.map(operator.neg, range(3000))) == -sum(range(3000))
    assert list(warm.map(operator.neg, range(4), chunksize=2)) == [0, -1, -2, -3]
    calls = graph.calls
    assert len(calls) == 3002
    assert {call.state for call in calls} == {"done"}


def test_where_nothing_runs_there_is_no_run(tmp_path):
    with SingleNodeExecutor(plot_dependency_graph_filename=str(tmp_path / "g.dot")) as executor:
        with pytest.raises(RuntimeError, match="only draws"):
            executor.graph()
