# SPDX-License-Identifier: BSD-3-Clause
"""How every benchmark here measures: interleaved rounds, fresh executors, medians, ratios to peers."""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import warnings
from collections.abc import Callable
from typing import NamedTuple

# Peers' workers find `work.py` as ours do.
os.environ["PYTHONPATH"] = os.pathsep.join(
    filter(None, [os.path.dirname(os.path.abspath(__file__)), os.environ.get("PYTHONPATH")])
)
# Compiled modules are kept, as in an installation.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
warnings.filterwarnings("ignore", category=DeprecationWarning)


class Contestant(NamedTuple):
    """`measure` makes what it needs, warms it up, and returns one measurement."""

    name: str
    measure: Callable[[], float]


class Goal(NamedTuple):
    """`kind` says what is held against `goal` and `floor` (docs/performance.md).

    `at most`: first ÷ second contestant; `at least` the same; `below`: the first contestant's own value;
    `beyond`: the first minus the second.
    """

    first: str
    second: str
    kind: str
    goal: float
    floor: float


class Verdict(NamedTuple):
    """One goal, held against what was measured."""

    what: str
    value: float
    goal: str
    floor: str
    verdict: str


def race(question: str, unit: str, contestants: list[Contestant], goals: list[Goal], rounds: int = 5) -> None:
    """Runs the rounds, prints medians and ratios; with `--json` prints one JSON object instead."""
    parser = argparse.ArgumentParser(description=question)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument(
        "--rounds", type=int, default=rounds, help="how often each contestant runs (%(default)s)"
    )
    arguments = parser.parse_args()

    values: dict[str, list[float]] = {contestant.name: [] for contestant in contestants}
    load = os.getloadavg()[0]
    for _ in range(arguments.rounds):
        for contestant in contestants:
            values[contestant.name].append(contestant.measure())
    medians = {name: statistics.median(of_one) for name, of_one in values.items()}
    verdicts = [judge(goal, medians) for goal in goals]

    if arguments.json:
        result = {
            "question": question,
            "unit": unit,
            "rounds": arguments.rounds,
            "load": load,
            "medians": medians,
            "values": values,
            "verdicts": [verdict._asdict() for verdict in verdicts],
        }
        print(json.dumps(result))
        return
    print(f"{question}  [{unit}, median of {arguments.rounds} rounds, load {load:.1f}]")
    for name, median in medians.items():
        low, high = min(values[name]), max(values[name])
        print(f"  {name:44} {number(median):>12}   ({number(low)} to {number(high)})")
    for verdict in verdicts:
        limits = f"goal {verdict.goal}, floor {verdict.floor}"
        print(f"  {verdict.verdict:>10}  {verdict.what}: {number(verdict.value)} ({limits})")
    sys.stdout.flush()


def judge(goal: Goal, medians: dict[str, float]) -> Verdict:
    """`met`, `floor only`, or `MISSED`."""
    first, second = medians[goal.first], medians.get(goal.second, 0.0)
    if goal.kind == "below":
        what, value = goal.first, first
    elif goal.kind == "beyond":
        what, value = f"{goal.first} beyond {goal.second}", first - second
    else:
        what, value = f"{goal.first} ÷ {goal.second}", first / second
    sign = "≥" if goal.kind == "at least" else "≤"

    def holds(limit: float) -> bool:
        return value >= limit if goal.kind == "at least" else value <= limit

    verdict = "met" if holds(goal.goal) else "floor only" if holds(goal.floor) else "MISSED"
    return Verdict(what, value, f"{sign} {goal.goal:g}", f"{goal.floor:g}", verdict)


def number(value: float) -> str:
    """Three digits that matter."""
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"
