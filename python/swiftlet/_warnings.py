# SPDX-License-Identifier: BSD-3-Clause
"""Warnings that name the user's line."""

from __future__ import annotations

import os
import sys
import warnings

_OURS = os.path.dirname(os.path.abspath(__file__)) + os.sep


def warn(text: str) -> None:
    """A ``UserWarning`` at the line outside this package whose call led here.

    (``skip_file_prefixes`` of ``warnings.warn`` does that from Python 3.12 on.)
    """
    level = 2
    frame = sys._getframe(1)
    while frame.f_back is not None and frame.f_code.co_filename.startswith(_OURS):
        frame = frame.f_back
        level += 1
    warnings.warn(text, UserWarning, stacklevel=level)
