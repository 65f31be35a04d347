# SPDX-License-Identifier: BSD-3-Clause
"""Draw mode: nothing runs, and the picture shows what was submitted (spec 3.11, S21)."""

from __future__ import annotations

import operator
import os
import subprocess
import sys
from xml.etree import ElementTree

import pytest
from graph_work import get_prod_and_div, get_square, get_sum, total
from marked_processes import MARK, processes_with

import swiftlet
from swiftlet import FluxClusterExecutor, SingleNodeExecutor, SlurmJobExecutor, get_item_from_future
from swiftlet.api import TestClusterExecutor


def workflow(executor):
    first = executor.submit(get_prod_and_div, x=1, y=2)
    second = executor.submit(
        get_sum, get_item_from_future(first, "prod"), y=get_item_from_future(first, key="div")
    )
    return executor.submit(get_square, x=second)


def svg_words(path):
    """Titles of nodes and edges, and all labels."""
    root = ElementTree.parse(path).getroot()
    names = [element.text for element in root.iter("{http://www.w3.org/2000/svg}text")]
    kinds = [element.get("class") for element in root.iter("{http://www.w3.org/2000/svg}g")]
    return names, kinds.count("node"), kinds.count("edge")


@pytest.mark.parametrize(
    "kind",
    [SingleNodeExecutor, SlurmJobExecutor, FluxClusterExecutor, TestClusterExecutor],
    ids=lambda kind: kind.__name__,
)
def test_the_graph_is_drawn_and_nothing_runs(kind, tmp_path, monkeypatch):
    monkeypatch.setenv("SWIFTLET_ENGINE", "/does/not/exist")  # an engine could not even be started
    picture = tmp_path / "graph.svg"
    with kind(plot_dependency_graph_filename=str(picture)) as executor:
        future = workflow(executor)
        assert future.done()
        assert future.result() is None
        assert not picture.exists()
    words, nodes, edges = svg_words(picture)
    assert (nodes, edges) == (5, 5)
    assert sorted(words) == sorted(
        ["get_prod_and_div", "get_sum", "get_square", "1", "2", "x", "y", "x['prod']", "y['div']", "x"]
    )


@pytest.mark.parametrize(
    ("name", "start"), [("g.png", b"\x89PNG"), ("g.pdf", b"%PDF"), ("g.svg", b"<?xml"), ("g.PNG", b"\x89PNG")]
)
def test_formats_by_file_name(name, start, tmp_path):
    with SingleNodeExecutor(plot_dependency_graph_filename=str(tmp_path / name)) as executor:
        workflow(executor)
    assert (tmp_path / name).read_bytes().startswith(start)


def test_text_needs_no_graphviz(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    for name, begin, line in (
        ("g.dot", "digraph {", '  c0 [label="get_prod_and_div", shape=box];'),
        ("g.mmd", "flowchart TD", '  c0["get_prod_and_div"]'),
    ):
        with SingleNodeExecutor(plot_dependency_graph_filename=str(tmp_path / name)) as executor:
            workflow(executor)
        lines = (tmp_path / name).read_text().splitlines()
        assert lines[0] == begin
        assert line in lines


def test_file_names_are_refused_at_once(tmp_path, monkeypatch):
    with pytest.raises(ValueError, match=r"\.svg"):
        SingleNodeExecutor(plot_dependency_graph_filename="graph.doc")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(RuntimeError, match="Install graphviz"):
        SingleNodeExecutor(plot_dependency_graph_filename="graph.svg")


def test_equal_inputs_share_a_node_and_others_do_not(tmp_path):
    path = tmp_path / "g.dot"
    with SingleNodeExecutor(plot_dependency_graph_filename=str(path)) as executor:
        executor.submit(operator.add, 1, 1)
        executor.submit(operator.add, 1.0, "1")
    lines = path.read_text().splitlines()
    assert [line for line in lines if "circle" in line] == [
        '  v2 [label="1", shape=circle];',
        '  v3 [label="1.0", shape=circle];',
        "  v4 [label=\"'1'\", shape=circle];",
    ]


def test_containers_are_boxes(tmp_path):
    path = tmp_path / "g.dot"
    with SingleNodeExecutor(plot_dependency_graph_filename=str(path)) as executor:
        future = executor.submit(get_square, 3)
        executor.submit(total, [future, 4])
        executor.submit(total, {"a": future})
        executor.submit(total, {"a": [1, 2], "b": "no future: a value, shortened to one line"})
    text = path.read_text()
    assert 'label="[$, 4]", shape=box' in text
    assert "label=\"{'a': $}\", shape=box" in text
    assert "label=\"{'a': [1, 2], 'b': …\", shape=circle" in text
    assert 'label="a"' in text


def test_all_ways_of_submitting_are_drawn(tmp_path):
    path = tmp_path / "g.dot"
    with SingleNodeExecutor(
        plot_dependency_graph_filename=str(path), block_allocation=True, max_workers=2
    ) as executor:
        assert list(executor.map(get_square, [1, 2])) == [None, None]
        assert list(executor.map(get_square, [1, 2, 3], chunksize=2)) == [None] * 3
        futures = [executor.submit(get_square, n) for n in range(4)]
        assert [batch.result() for batch in executor.batched(futures, 3)] == [None, None]
        assert len(executor) == 0
        executor.max_workers = 3
        with pytest.raises(RuntimeError, match="only draws"):
            executor.status()
    text = path.read_text()
    assert text.count('label="get_square"') == 9
    assert text.count('label="batched"') == 2


def test_input_is_checked_as_always(tmp_path):
    with SingleNodeExecutor(plot_dependency_graph_filename=str(tmp_path / "g.dot")) as executor:
        with pytest.raises(swiftlet.ResourceError):
            executor.submit(get_square, 1, resource_dict={"coers": 1})
        with pytest.raises(TypeError):
            executor.submit("no function")
    with pytest.raises(RuntimeError, match="after shutdown"):
        executor.submit(get_square, 1)
    with pytest.raises(ValueError, match="disable_dependencies"):
        SingleNodeExecutor(disable_dependencies=True, plot_dependency_graph=True)


def test_half_a_graph_is_not_drawn(tmp_path):
    path = tmp_path / "g.dot"

    def block():
        with SingleNodeExecutor(plot_dependency_graph_filename=str(path)) as executor:
            executor.submit(get_square, 1)
            raise LookupError

    with pytest.raises(LookupError):
        block()
    assert not path.exists()


def test_without_a_notebook_the_text_is_printed(capsys):
    before = set(processes_with(os.environ[MARK]))
    with SingleNodeExecutor(plot_dependency_graph=True) as executor:
        workflow(executor)
    assert capsys.readouterr().out.startswith("flowchart TD\n")
    assert set(processes_with(os.environ[MARK])) <= before


def test_s21_in_a_notebook_the_picture_is_displayed(tmp_path):
    program = tmp_path / "cells.ipy"
    program.write_text(
        "import operator\n"
        "from IPython.core.displaypub import DisplayPublisher\n"
        "class Publisher(DisplayPublisher):\n"
        "    def publish(self, data, *args, **kwargs):\n"
        "        print(sorted(data), data['image/svg+xml'].count('class=\"node\"'))\n"
        "get_ipython().display_pub = Publisher()\n"
        "from swiftlet import SingleNodeExecutor\n"
        "with SingleNodeExecutor(plot_dependency_graph=True) as executor:\n"
        "    future = None\n"
        "    for number in range(1, 4):\n"
        "        future = executor.submit(operator.add, number, future or 0)\n"
        "    print(future.result())\n"
    )
    command = [sys.executable, "-m", "IPython", "--quick", "--no-banner", "--colors=NoColor", str(program)]
    environment = {**os.environ, "IPYTHONDIR": str(tmp_path)}
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=100, env=environment, check=False, cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    assert "None\n['image/svg+xml', 'text/plain'] 7\n" in done.stdout
