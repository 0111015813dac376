# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Callbacks and logs that would store task results, refused where a result holds a token."""

from __future__ import annotations

from collections.abc import Sequence

from ansible import constants as C

OWN_CALLBACK = "desi.lab.steps"
# It checks settings before there are results.
GUARD = "desi.lab.plain_settings"
# They keep no results.
HARMLESS = ("profile_roles", "profile_tasks", "timer")


def keeper(callback: str, log_path: str | None, enabled: Sequence[str]) -> str:
    """Return what would keep task results beyond this terminal; empty if nothing would.

    ``callback`` is the standard output callback, ``log_path`` Ansible's log, ``enabled`` the further callbacks.
    """
    for name in enabled:
        if name.rpartition(".")[2] not in HARMLESS and name not in (OWN_CALLBACK, GUARD):
            return f"the callback {name}"
    # DESI Lab's own callback never logs secrets.
    return f"Ansible's log {log_path}" if log_path and callback != OWN_CALLBACK else ""


def keeper_of_this_run() -> str:
    """Return what would keep task results in this run; empty if nothing would."""
    return keeper(C.DEFAULT_STDOUT_CALLBACK, C.DEFAULT_LOG_PATH, C.CALLBACKS_ENABLED)
