# SPDX-License-Identifier: BSD-3-Clause
"""Workflows are exported and run again (spec 3.11, S60, W20)."""

from __future__ import annotations

import json
import operator

import graph_work
import numpy as np
import pytest
from graph_work import by_number, get_prod_and_div, get_square, get_sum, join, pair, total, weigh
from python_workflow_definition.models import PythonWorkflowDefinitionWorkflow
from python_workflow_definition.purepython import load_workflow_json

from swiftlet import Future, SingleNodeExecutor, get_item_from_future, run_workflow, split_future


def exported(path, submit):
    """The content of the file that an executor in draw mode writes."""
    with SingleNodeExecutor(export_workflow_filename=str(path)) as executor:
        future = submit(executor)
        assert future is None or future.result() is None
    return json.loads(path.read_text())


def reference(executor):
    first = executor.submit(get_prod_and_div, x=1, y=2)
    second = executor.submit(
        get_sum, x=get_item_from_future(first, "prod"), y=get_item_from_future(first, "div")
    )
    return executor.submit(get_square, x=second)


def test_s60_the_reference_example(tmp_path):
    path = tmp_path / "workflow.json"
    content = exported(path, reference)
    assert content == {
        "version": "0.1.0",
        "nodes": [
            {"id": 0, "type": "function", "value": "graph_work.get_prod_and_div"},
            {"id": 1, "type": "function", "value": "graph_work.get_sum"},
            {"id": 2, "type": "function", "value": "graph_work.get_square"},
            {"id": 3, "type": "input", "value": 1, "name": "x"},
            {"id": 4, "type": "input", "value": 2, "name": "y"},
            {"id": 5, "type": "output", "name": "result"},
        ],
        "edges": [
            {"target": 0, "targetPort": "x", "source": 3, "sourcePort": None},
            {"target": 0, "targetPort": "y", "source": 4, "sourcePort": None},
            {"target": 1, "targetPort": "x", "source": 0, "sourcePort": "prod"},
            {"target": 1, "targetPort": "y", "source": 0, "sourcePort": "div"},
            {"target": 2, "targetPort": "x", "source": 1, "sourcePort": None},
            {"target": 5, "targetPort": None, "source": 2, "sourcePort": None},
        ],
    }
    assert path.read_text().startswith('{\n    "version"')
    PythonWorkflowDefinitionWorkflow.load_json_file(str(path))
    assert load_workflow_json(str(path)) == 6.25  # the format's own package runs it


def test_s60_numpy_inputs_are_lists(tmp_path):
    path = tmp_path / "workflow.json"
    content = exported(path, lambda executor: executor.submit(get_sum, np.array([1, 2]), y=np.float64(3)))
    assert (len(content["nodes"]), len(content["edges"])) == (4, 3)
    assert [node["value"] for node in content["nodes"] if node["type"] == "input"] == [[1, 2], 3.0]


def test_w20_constants_beside_futures_and_the_right_result(tmp_path):
    def submit(executor):
        square = executor.submit(get_square, 3)
        return executor.submit(total, [1, square, 5, [square][0]])

    path = tmp_path / "workflow.json"
    content = exported(path, submit)
    assert content["nodes"][content["edges"][-1]["source"]]["value"] == "graph_work.total"
    values = [node["value"] for node in content["nodes"] if node["type"] == "input"]
    assert values == [3, 1, 5]
    assert load_workflow_json(str(path)) == 24
    with SingleNodeExecutor(max_workers=2) as executor:
        assert run_workflow(path, executor).result(60) == 24


@pytest.mark.parametrize("warm", [False, True])
def test_a_workflow_runs_again_with_other_inputs(tmp_path, warm):
    path = tmp_path / "workflow.json"
    exported(path, reference)
    with SingleNodeExecutor(max_workers=2, block_allocation=warm) as executor:
        future = run_workflow(str(path), executor)
        assert isinstance(future, Future)
        assert future.result(60) == 6.25
        assert run_workflow(path, executor, x=4, y=4).result(60) == 17**2


def test_every_kind_of_argument_comes_back(tmp_path):
    def submit(executor):
        first, second = split_future(executor.submit(pair, 3), 2)
        numbered = executor.submit(by_number, 5)
        words = executor.submit(sorted, ["b", "a"])
        joined = executor.submit(join, words, "c", "d", separator="+")
        table = {"one": (first, 2), "two": [second, get_item_from_future(numbered, 2)]}
        return executor.submit(operator.concat, [executor.submit(weigh, table)], [joined])

    path = tmp_path / "workflow.json"
    exported(path, submit)
    with SingleNodeExecutor(block_allocation=True, max_workers=2) as executor:
        expected = [3 * 2 + 4 * -5, "a+b+c+d"]
        assert submit(executor).result(60) == expected
        assert run_workflow(path, executor).result(60) == expected


def test_inputs_of_one_name_are_told_apart(tmp_path):
    def submit(executor):
        return executor.submit(get_sum, executor.submit(get_sum, 1, 2), 3)

    path = tmp_path / "workflow.json"
    content = exported(path, submit)
    assert [node["name"] for node in content["nodes"] if node["type"] == "input"] == ["x", "y", "y_2"]
    with SingleNodeExecutor(max_workers=1) as executor:
        assert run_workflow(path, executor, y_2=10).result(60) == 13
        with pytest.raises(TypeError, match=r"no input 'y_3'.*Did you mean 'y_2'.*x, y, y_2"):
            run_workflow(path, executor, y_3=1)


def test_what_cannot_be_exported_is_said(tmp_path):
    path = tmp_path / "workflow.json"
    with pytest.raises(ValueError, match="no call was submitted"):
        exported(path, lambda executor: None)
    with pytest.raises(ValueError, match="top level of a module"):
        exported(path, lambda executor: executor.submit(lambda: 1))
    with pytest.raises(TypeError, match="x: a set cannot be expressed"):
        exported(path, lambda executor: executor.submit(get_square, {1}))
    with pytest.raises(TypeError, match="another executor"):
        exported(path, lambda executor: executor.submit(get_square, Future()))
    with pytest.raises(TypeError, match="only texts as keys"):
        exported(path, lambda executor: executor.submit(get_square, {1: 2}))
    assert not path.exists()


def test_what_cannot_be_loaded_is_said(tmp_path):
    path = tmp_path / "workflow.json"
    with SingleNodeExecutor(max_workers=1) as executor:
        for text in ("no json", "[]", '{"nodes": []}', '{"nodes": [{"id": 0}], "edges": []}'):
            path.write_text(text)
            with pytest.raises(ValueError, match="is no workflow file"):
                run_workflow(path, executor)
        content = exported(path, reference)
        content["nodes"][0]["value"] = "graph_work.no_such_function"
        path.write_text(json.dumps(content))
        with pytest.raises(ImportError, match=r"graph_work\.no_such_function"):
            run_workflow(path, executor)
        content = exported(path, reference)
        content["edges"].append({"target": 0, "targetPort": "z", "source": 2, "sourcePort": None})
        path.write_text(json.dumps(content))
        with pytest.raises(ValueError, match="wait for each other"):
            run_workflow(path, executor)
        content = exported(path, reference)
        content["edges"][2]["sourcePort"] = "product"
        path.write_text(json.dumps(content))
        with pytest.raises(LookupError, match="product"):
            run_workflow(path, executor).result(60)
        with pytest.raises(FileNotFoundError):
            run_workflow(tmp_path / "none.json", executor)
    assert graph_work.get_square(2) == 4
