# SPDX-License-Identifier: BSD-3-Clause
"""What the executors have in common whose calls are jobs that outlive this program."""

from __future__ import annotations

from swiftlet._engine_executor import EngineExecutor
from swiftlet._options import Options, check_cluster
from swiftlet._policy import Policy


class ClusterExecutor(EngineExecutor):
    """SlurmCluster-, FluxCluster- and TestClusterExecutor: each call is an entry in the cache directory and a
    job of its own.
    """

    def __init__(self, options: Options, policy: Policy) -> None:
        """Checks the arguments. ``NotYetAvailableError``: see ``_missing``."""
        check_cluster(options)
        super().__init__(options, policy)


class ClusterPolicy(Policy):
    """Unknown keys are passed on to the template of the batch script."""

    strict = False
