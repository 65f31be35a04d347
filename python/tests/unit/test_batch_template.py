# SPDX-License-Identifier: BSD-3-Clause
"""Keys for sbatch, users' templates and pysqa's descriptions of queues, without a cluster."""

from __future__ import annotations

import warnings
from pathlib import Path

import pytest

from swiftlet._batch_options import not_understood, options
from swiftlet._errors import ResourceError
from swiftlet._queues import Queues
from swiftlet._resources import Resources
from swiftlet._template import Template, variables

PYSQA_TEMPLATE = """#!/bin/bash
#SBATCH --job-name={{job_name}}
#SBATCH --chdir={{working_directory}}
#SBATCH --partition={{partition}}
{%- if run_time_max %}
#SBATCH --time={{ [1, run_time_max // 60]|max }}
{%- endif %}
{%- if dependency %}
#SBATCH --dependency=afterok:{{ dependency | join(',') }}
{%- endif %}
{%- if memory_max %}
#SBATCH --mem={{memory_max}}G
{%- endif %}
#SBATCH --ntasks={{cores}}

{{command}}"""


def render(template: str, resources: Resources, dependencies: tuple[int, ...] = ()) -> str:
    known = variables(
        resources, command="python job", job_name="sum", directory="/data/x", dependencies=dependencies
    )
    return Template(template).render(known)


def test_the_template_of_executorlibs_documentation() -> None:
    resources = Resources(
        cores=2, threads_per_core=3, run_time_max=180.0, memory_max=4.0, extra={"partition": "debug"}
    )
    assert render(PYSQA_TEMPLATE, resources, (7, 9)) == (
        "#!/bin/bash\n#SBATCH --job-name=sum\n#SBATCH --chdir=/data/x\n#SBATCH --partition=debug\n"
        "#SBATCH --time=3\n#SBATCH --dependency=afterok:7,9\n#SBATCH --mem=4G\n"
        "#SBATCH --ntasks=6\n\npython job"
    )


def test_dependency_and_dependency_list_are_both_set() -> None:
    assert render("{{dependency}} {{dependency_list}} {{command}}", Resources(), (5,)) == "[5] [5] python job"


def test_a_directory_with_blanks_is_quoted_in_directives() -> None:
    known = variables(
        Resources(), command="run it", job_name="sum", directory="/data/my results", dependencies=()
    )
    text = "#SBATCH --chdir={{working_directory}}\n#SBATCH -o {{working_directory}}/o.txt --wait\n{{command}}"
    assert Template(text).render(known) == (
        '#SBATCH --chdir="/data/my results"\n#SBATCH -o "/data/my results/o.txt" --wait\nrun it'
    )
    for tag in ("#flux:", "# FLUX:"):
        assert Template(tag + " --cwd={{working_directory}}\n{{command}}").render(known) == tag + (
            ' --cwd="/data/my results"\nrun it'
        )


def test_no_template() -> None:
    with pytest.raises(ResourceError, match="is no Jinja2 template"):
        Template("{% if %}")
    for text in ("#!/bin/bash\n#SBATCH -n 1\necho hello", "template.sh"):
        with pytest.raises(ResourceError, match=r"has to be the text of a script .*\{\{command\}\}"):
            Template(text)
    with pytest.raises(ResourceError, match="cannot be rendered"):
        render("{{ cores // 0 }} {{command}}", Resources())


DOCUMENTED = (
    "command", "job_name", "working_directory", "dependency", "dependency_list", "cores", "threads_per_core",
    "gpus_per_core", "num_nodes", "exclusive", "memory_max", "run_time_max", "priority", "slurm_cmd_args",
)  # fmt: skip
KNOWN = variables(Resources(), command="run it", job_name="sum", directory="/data/x", dependencies=())


@pytest.mark.parametrize(
    ("text", "near"),
    [
        ("#SBATCH --mem={{memry_max}}G", r"'memry_max', .* Did you mean 'memory_max'\?"),
        ("{% if dependency %}-d {{dependancy | join(',')}}{% endif %}", "'dependancy', .*'dependency'"),
        ("{% if not dependency %}{{job_nam}}{% endif %}", "'job_nam', .*'job_name'"),
        ("{% for module in modules %}{{module}}{% endfor %}", r"'modules', which is no variable of this"),
        ("{{ 'x' ~ partition }}", r"'partition', .* There are: .*cores, dependency,.*exclusive"),
    ],
)
def test_a_variable_that_there_is_not(text: str, near: str) -> None:
    with pytest.raises(ResourceError, match="submission_template uses " + near):
        Template(text + "\n{{command}}").check_names(KNOWN)


def test_a_variable_that_a_call_may_leave_out() -> None:
    text = (
        "{% if partition %}-p {{partition}}{% endif %}{{ account | default('mine') }}"
        "{% if qos is defined and nodelist != 'a' %}?{% endif %}{{ dependency[0] }} {{command}}"
    )
    Template(text).check_names(KNOWN)
    assert Template(text).render(KNOWN) == "mine run it"
    with pytest.raises(ResourceError, match="uses 'partition'"):
        Template("{{partition}} {{command}}").render(KNOWN)


def test_all_that_a_template_is_told_is_there_when_nothing_was_asked_for() -> None:
    written = "".join(f"{{{{{name}}}}} " for name in DOCUMENTED)
    Template(written).check_names(KNOWN)
    assert sorted(DOCUMENTED) == sorted(KNOWN)


def test_a_template_cannot_leave_its_sandbox() -> None:
    with pytest.raises(ResourceError, match="cannot be rendered"):
        render("{{ ''.__class__.__mro__[1].__subclasses__() }} {{command}}", Resources())


def test_keys_become_options() -> None:
    extra = {
        "partition": "debug",
        "nodelist": ["n1", "n2"],
        "requeue": True,
        "reboot": False,
        "nice": 100,
        "mem_per_cpu": "2G",
        "colour": "blue",
    }
    assert options(extra) == ["partition=debug", "nodelist=n1,n2", "requeue", "nice=100", "mem-per-cpu=2G"]


@pytest.mark.parametrize("value", [{"a": 1}, "two\nlines", object()])
def test_a_value_that_no_option_can_have(value: object) -> None:
    with pytest.raises(ResourceError, match="partition"):
        options({"partition": value})


def test_options_that_are_the_executors() -> None:
    with pytest.raises(ResourceError, match="futures as arguments become dependencies"):
        options({"dependency": "afterok:3"})


def test_unknown_keys_are_named_with_what_they_may_stand_for() -> None:
    assert not_understood(["partition"], None) is None
    text = not_understood(["partiton"], None)
    assert text is not None
    assert "'partition' instead of 'partiton'" in text
    assert "no effect" in text
    assert not_understood(["colour"], "{{ colour }}") is None


def queue_directory(path: Path) -> Path:
    (path / "queue.yaml").write_text(
        "queue_type: SLURM\nqueue_primary: small\nqueues:\n"
        "  small: {script: small.sh, cores_min: 1, cores_max: 4, run_time_max: 600}\n"
        "  wide: {script: small.sh, cores_min: 8, cores_max: 64}\n"
    )
    (path / "small.sh").write_text("--ntasks={{cores}} --time={{run_time_max}}\n{{command}}")
    return path


def test_queues_of_pysqa(tmp_path: Path) -> None:
    queues = Queues(str(queue_directory(tmp_path)))
    small = queues[None]
    assert small.name == "small"
    assert small.within_limits({"cores": 2, "run_time_max": 1000})["run_time_max"] == 600
    assert small.within_limits({"cores": 2, "run_time_max": None})["run_time_max"] == 600
    assert queues["wide"].within_limits({"cores": 1})["cores"] == 8
    with pytest.raises(ResourceError, match="at most 4 cores"):
        small.check(Resources(cores=5))
    with pytest.raises(ResourceError, match="small, wide"):
        queues["large"]
    with pytest.warns(UserWarning, match="lowered"):
        small.check(Resources(run_time_max=1000.0))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        small.check(Resources(run_time_max=600.0))


def test_queues_of_another_system(tmp_path: Path) -> None:
    directory = str(queue_directory(tmp_path))
    with pytest.raises(ValueError, match="queue_type is SLURM; this executor needs FLUX"):
        Queues(directory, "FLUX")


def test_a_file_of_clusters(tmp_path: Path) -> None:
    queue_directory(tmp_path).joinpath("queue.yaml").rename(tmp_path / "here.yaml")
    (tmp_path / "clusters.yaml").write_text("cluster_primary: here\ncluster: {here: here.yaml}\n")
    assert Queues(str(tmp_path))["wide"].cores_min == 8


def test_no_description(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"Neither a queue.yaml file nor a clusters.yaml file were found in"):
        Queues(str(tmp_path))
    (tmp_path / "queue.yaml").write_text("queue_type: SGE\nqueues: {a: {script: x}}\n")
    with pytest.raises(ValueError, match="SGE"):
        Queues(str(tmp_path))
