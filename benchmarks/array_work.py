# SPDX-License-Identifier: BSD-3-Clause
"""What `large_arrays.py` runs."""

from __future__ import annotations

from typing import Any


def touch(array: Any) -> Any:
    """Reads one number of each page, then gives the array back."""
    array[:: 4096 // array.itemsize].sum()
    return array
