# SPDX-License-Identifier: BSD-3-Clause
"""Where a worker runs that is not on its client's node, as its environment says it."""

from __future__ import annotations

import os
from collections.abc import Mapping

NODE = "SWIFTLET_NODE"
"""The variable that names the node of such a worker."""

_STEP = "SWIFTLET_STEP"
"""Set for the processes of a job step, and for no others."""
_GPUS = frozenset(
    {
        "CUDA_VISIBLE_DEVICES",
        "ROCR_VISIBLE_DEVICES",
        "HIP_VISIBLE_DEVICES",
        "GPU_DEVICE_ORDINAL",
        "ZE_AFFINITY_MASK",
    }
)
"""What a launcher of steps says of GPUs."""

_OURS = ("SLURM_", "SLURMD_", "PMI_", "PMIX_", "PALS_", "OMPI_COMM_", "FLUX_")


class Place:
    """What this process's own environment says of its place; nothing for a worker on its client's node."""

    def __init__(self) -> None:
        self._own: dict[str, str] = {}
        self._is_step = os.environ.pop(_STEP, None) is not None
        if self._is_step:
            os.environ[NODE] = os.environ.get("SLURMD_NODENAME") or os.uname().nodename
        self._is_elsewhere = NODE in os.environ
        if self._is_elsewhere:
            self._own = {name: value for name, value in os.environ.items() if self._is_kept(name)}

    def kept_in(self, wanted: Mapping[str, str]) -> Mapping[str, str]:
        """A client's environment with this process's place instead of the client's."""
        if not self._is_elsewhere:
            return wanted
        return {**{name: value for name, value in wanted.items() if not self._is_kept(name)}, **self._own}

    def _is_kept(self, name: str) -> bool:
        return name == NODE or name.startswith(_OURS) or (self._is_step and name in _GPUS)
