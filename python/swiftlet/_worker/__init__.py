# SPDX-License-Identifier: BSD-3-Clause
"""The fork server and the workers it forks; imports the standard library and cloudpickle only."""
