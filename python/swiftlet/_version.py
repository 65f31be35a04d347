# SPDX-License-Identifier: BSD-3-Clause
"""The version of the package, without reading its metadata (which takes longer than importing all else)."""

__version__ = "0.1.0"
