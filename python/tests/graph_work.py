# SPDX-License-Identifier: BSD-3-Clause
"""Functions of workflows; a module of their own, so that a workflow file can name them."""

from __future__ import annotations


def get_prod_and_div(x, y):
    return {"prod": x * y, "div": x / y}


def get_sum(x, y):
    return x + y


def get_square(x):
    return x**2


def total(values):
    return sum(values)


def join(words, /, *more, separator="-"):
    return separator.join([*words, *more])


def weigh(table):
    return sum(value * weight for value, weight in table.values())


def pair(x):
    return [x, x + 1]


def by_number(x):
    return {1: x, 2: -x}
