# SPDX-License-Identifier: BSD-3-Clause
"""Keys: equal for equal calls in every run and place, different where the result may be."""

from __future__ import annotations

import dataclasses
import functools
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from swiftlet import explain_key


def key(fn: Any, *args: Any, **kwargs: Any) -> str:
    return explain_key(fn, *args, **kwargs).key


def build(source: str, name: str = "f", **values: Any) -> Any:
    """A function as it would be in a script, where it travels by value."""
    space: dict[str, Any] = {"__name__": "__main__", **values}
    exec(textwrap.dedent(source), space)
    return space[name]


F = "def f(x, y=2, *, z=3):\n    return x + y + z\n"


def test_the_place_in_the_file_does_not_count() -> None:
    assert key(build(F), 1) == key(build("# a comment\n\n\n" + F), 1)


@pytest.mark.parametrize(
    "changed",
    [
        F.replace("x + y", "x - y"),
        F.replace("y=2", "y=4"),
        F.replace("z=3", "z=4"),
        F.replace("+ z", "+ 1 + z"),
    ],
)
def test_code_and_defaults_count(changed: str) -> None:
    assert key(build(F), 1) != key(build(changed), 1)


def test_what_a_function_uses_counts() -> None:
    source = "def g(x):\n    return x * {factor}\ndef f(x):\n    return g(x) + constant\n"
    one = key(build(source.format(factor=2), constant=1), 1)
    assert one == key(build(source.format(factor=2), constant=1, unused=5), 1)
    assert one != key(build(source.format(factor=3), constant=1), 1)
    assert one != key(build(source.format(factor=2), constant=2), 1)


def test_closures_count() -> None:
    def outer(value: Any) -> Any:
        return lambda x: x + value

    assert key(outer(1), 1) == key(outer(1), 1)
    assert key(outer(1), 1) != key(outer(2), 1)


def test_recursion_has_an_end() -> None:
    source = "def f(n):\n    return 1 if n < 2 else g(n)\ndef g(n):\n    return n * f(n - 1){more}\n"
    assert key(build(source.format(more="")), 3) == key(build(source.format(more="")), 3)
    assert key(build(source.format(more="")), 3) != key(build(source.format(more=" + 1")), 3)


@dataclasses.dataclass
class Point:
    x: int
    tags: set[str]


SAME = [
    ((1, 2.5, "a", b"b", None, True), (1, 2.5, "a", b"b", None, True)),
    (({"a", "b", "c", "d"},), ({"d", "c", "b", "a"},)),
    ((np.arange(6).reshape(2, 3),), (np.arange(6).reshape(2, 3),)),
    ((np.arange(10)[::2],), (np.array([0, 2, 4, 6, 8]),)),
    ((Point(1, {"a", "b"}),), (Point(1, {"b", "a"}),)),
    ((functools.partial(max, 3),), (functools.partial(max, 3),)),
    ((float("nan"),), (float("nan"),)),
]
DIFFERENT = [
    ((1,), (True,)),
    ((1,), (1.0,)),
    ((1,), ("1",)),
    (([1, 2],), ((1, 2),)),
    (({"a": 1, "b": 2},), ({"b": 2, "a": 1},)),
    ((np.arange(6),), (np.arange(6).reshape(2, 3),)),
    ((np.arange(6, dtype="i4"),), (np.arange(6, dtype="i8"),)),
    ((np.ones((2, 3), order="C"),), (np.ones((2, 3), order="F"),)),
    ((Point(1, {"a"}),), (Point(2, {"a"}),)),
    (("ab", "c"), ("a", "bc")),
    (([[1], 2],), ([1, [2]],)),
    ((0.0,), (-0.0,)),
    ((functools.partial(max, 3),), (functools.partial(min, 3),)),
]


@pytest.mark.parametrize(("one", "other"), SAME)
def test_equal_arguments(one: Any, other: Any) -> None:
    assert key(print, *one) == key(print, *other)


@pytest.mark.parametrize(("one", "other"), DIFFERENT)
def test_different_arguments(one: Any, other: Any) -> None:
    assert key(print, *one) != key(print, *other)


def test_keyword_arguments_in_any_order() -> None:
    assert key(dict, a=1, b=2) == key(dict, b=2, a=1)
    assert key(dict, a=1) != key(dict, b=1)


def test_cores_and_init_function_count() -> None:  # W14
    assert key(sum, [1]) != explain_key(sum, [1], resource_dict={"cores": 2}).key
    assert key(sum, [1]) == explain_key(sum, [1], resource_dict={"threads_per_core": 2}).key
    one = explain_key(sum, [1], init_function=build("def f(): return {'a': 1}")).key
    assert one != key(sum, [1])
    assert one != explain_key(sum, [1], init_function=build("def f(): return {'a': 2}")).key


def test_what_has_no_stable_form_is_named_and_always_missed() -> None:
    with open("/dev/null") as file:
        first, second = explain_key(print, [file]), explain_key(print, [file])
    assert first.key != second.key
    assert any("item 0" in text and "TextIOWrapper" in text for text in first.unstable)
    assert "never found again" in str(first)


SCRIPT = """
import dataclasses, sys
import numpy as np
from swiftlet import explain_key
{blank}
@dataclasses.dataclass
class P:
    a: int

FACTOR = 3

def helper(x):
    return x * FACTOR

def f(x, names={{"a", "b"}}, *rest):
    return [helper(item) for item in (x, *rest)] + [np.sum(x)] + sorted(names)

print(explain_key(f, P(1), {{"x", "y", "z"}}, np.ones(3), key={{"q": lambda n: n + FACTOR}}).key)
"""


def test_every_run_and_place_gives_the_same_key(tmp_path: Path) -> None:
    keys = set()
    for number, seed in enumerate(("0", "1", "77")):
        folder = tmp_path / str(number)
        folder.mkdir()
        script = folder / f"script{number}.py"
        script.write_text(SCRIPT.format(blank="\n" * number))
        environment = {"PYTHONHASHSEED": seed, "PYTHONPATH": ":".join(sys.path)}
        done = subprocess.run(
            [sys.executable, str(script)], capture_output=True, text=True, check=True, env=environment
        )
        keys.add(done.stdout)
    assert len(keys) == 1


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Writes a module of the user's and gives a function of it."""
    monkeypatch.syspath_prepend(str(tmp_path))

    def write(source: str, name: str = "users_module", attribute: str = "f") -> Any:
        (tmp_path / f"{name}.py").write_text(textwrap.dedent(source))
        __import__(name)
        return getattr(sys.modules[name], attribute)

    yield write
    for name in ("users_module", "users_other"):
        sys.modules.pop(name, None)


def test_an_edited_module_counts_at_once(module: Any) -> None:  # W18
    fn = module("K = 1\ndef g(): return K\ndef f(): return g()\ndef unused(): return 0\n")
    before = key(fn)
    moved = "# moved\n\nK = 1\ndef f(): return g()\ndef unused(): return 5\ndef g(): return K\n"
    assert key(module(moved)) == before
    assert key(module("K = 2\ndef g(): return K\ndef f(): return g()\n")) != before
    assert key(module("K = 1\ndef g(): return -K\ndef f(): return g()\n")) != before


def test_modules_that_a_module_imports_count(module: Any) -> None:
    module("VALUE = 1\ndef g(): return VALUE\n", "users_other", "g")
    fn = module("from users_other import g\ndef f(): return g()\n")
    before = key(fn)
    module("VALUE = 2\ndef g(): return VALUE\n", "users_other", "g")
    assert key(fn) != before


@pytest.mark.parametrize(
    "source",
    [
        "def f():\n    from users_module import g\n    return g()\n",
        "def f():\n    import users_module\n    return users_module.g()\n",
    ],
)
def test_what_a_function_imports_when_it_runs_counts(module: Any, source: str) -> None:
    module("def g(): return 1\n", attribute="g")
    fn = build(source)
    first = key(fn)
    assert key(fn) == first
    module("def g(): return 22\n", attribute="g")
    assert key(fn) != first


def test_modules_reached_through_a_package_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    package = tmp_path / "users_package"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "below.py").write_text("def g(): return 1\n")
    (package / "other.py").write_text("def g(): return 1\n")
    try:
        fn = build(
            "import users_package.below, users_package.other\ndef f(): return users_package.below.g()\n"
        )
        first = key(fn)
        (package / "other.py").write_text("def g(): return 22\n")
        assert key(fn) == first
        (package / "below.py").write_text("def g(): return 22\n")
        assert key(fn) != first
    finally:
        for name in [name for name in sys.modules if name.startswith("users_package")]:
            del sys.modules[name]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("from users_other import *\ndef f(): return g()\n", None),
        (
            "R = {{}}\ndef reg(x):\n    R[x.__name__] = x\n"
            "@reg\ndef a(): return {n}\ndef f(): return R['a']()\n",
            2,
        ),
        ("G = []\nfor i in range({n}):\n    G.append(i)\ndef f(): return G\n", 2),
        (
            "import functools\n@functools.singledispatch\ndef f(x=0): return 0\n"
            "@f.register\ndef _(x: int): return {n}\n",
            2,
        ),
    ],
)
def test_what_reaches_a_function_without_its_name_counts(module: Any, one: str, other: int | None) -> None:
    module("def g(): return 1\n", "users_other", "g")
    fn = module(one.format(n=1))
    first = key(fn)
    assert key(fn) == first
    if other is None:
        module("def g(): return 22\n", "users_other", "g")
    else:
        module(one.format(n=22))
    assert key(fn) != first


def test_a_metaclass_counts() -> None:
    source = "class M(type):\n    def m(c): return {n}\nclass C(metaclass=M): pass\ndef f(): return C.m()\n"
    assert key(build(source.format(n=1))) == key(build(source.format(n=1)))
    assert key(build(source.format(n=1))) != key(build(source.format(n=2)))


def test_a_given_key_replaces_it() -> None:
    assert explain_key(sum, [1], resource_dict={"cache_key": "mine/1"}).key == "mine/1"
    with pytest.raises(ValueError, match="dot"):
        explain_key(sum, [1], resource_dict={"cache_key": "../mine"})
