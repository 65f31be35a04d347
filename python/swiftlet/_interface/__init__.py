# SPDX-License-Identifier: BSD-3-Clause
"""executorlib's low-level interface: a program starts a worker of its own and talks to it in dicts.

Both ends are processes of one user on one machine: they meet at a Unix socket in a directory that only that
user may enter, and each asks the kernel who the other is before anything is read.
"""
