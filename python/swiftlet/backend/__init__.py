# SPDX-License-Identifier: BSD-3-Clause
"""Worker programs for ``SocketInterface``; see ``swiftlet.api.get_command_path``."""
