# SPDX-License-Identifier: BSD-3-Clause
"""Graphs of calls: drawn before they run, exported and run again, and watched while they run."""
