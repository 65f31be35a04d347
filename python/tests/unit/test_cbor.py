# SPDX-License-Identifier: BSD-3-Clause
"""Values between Swift and Python."""

from __future__ import annotations

import math
from array import array
from typing import Any

import numpy as np
import pytest

from swiftlet._worker import _cbor


@pytest.mark.parametrize(
    "value",
    [
        None,
        True,
        0,
        23,
        24,
        255,
        256,
        65_536,
        2**64 - 1,
        -1,
        -(2**63),
        1.5,
        math.inf,
        "",
        "ß 🦜",
        b"\0\xff",
        [],
        [1, [2.5, None]],
        {"a": {"b": [True]}},
        array("d", [1.5, -2]),
        array("q", [-1, 2]),
        array("f", [0.5]),
        array("H", [65_535]),
    ],
)
def test_values_come_back(value: Any) -> None:
    back = _cbor.loads(_cbor.dumps(value))
    assert back == value
    assert type(back) is type(value)


def test_what_swift_writes_is_read() -> None:
    """Containers of open length, single precision."""
    assert _cbor.loads(bytes.fromhex("bf6161fa3fc000006162f6ff")) == {"a": 1.5, "b": None}
    assert _cbor.loads(bytes.fromhex("9f0120ff")) == [1, -1]


def test_numpy_arrays_and_scalars_are_numbers() -> None:
    assert _cbor.loads(_cbor.dumps(np.float64(2.5))) == 2.5
    assert _cbor.loads(_cbor.dumps(np.arange(3.0))) == array("d", [0, 1, 2])
    assert _cbor.loads(_cbor.dumps(np.array([1, 2], dtype=np.uint8))) == b"\1\2"
    assert _cbor.loads(_cbor.dumps(np.eye(2, dtype=np.int32))) == [array("i", [1, 0]), array("i", [0, 1])]
    assert _cbor.loads(_cbor.dumps(np.array(7))) == 7
    assert _cbor.loads(_cbor.dumps(np.array([True, False]))) == [True, False]


@pytest.mark.parametrize("value", [object(), {1: 2}, 2**64, {1, 2}, 1j])
def test_what_has_no_form_is_a_type_error(value: Any) -> None:
    with pytest.raises(TypeError):
        _cbor.dumps(value)


def test_bytes_that_are_cut_off_are_a_value_error() -> None:
    whole = _cbor.dumps({"a": [1, 2.5, "text", array("d", [1.0])]})
    for length in range(len(whole)):
        with pytest.raises(ValueError, match=r"end|byte"):
            _cbor.loads(whole[:length])
    with pytest.raises(ValueError, match="follow"):
        _cbor.loads(whole + b"\0")
