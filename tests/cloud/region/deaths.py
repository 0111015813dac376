# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Machines that end by themselves, as the engine tells."""

from __future__ import annotations

import threading
from collections.abc import Callable

import docker

from region.words import INSTANCE_LABEL, REGION_LABEL


def watch(engine: docker.DockerClient, number: int, died: Callable[[str, int], None]) -> None:
    """Go on telling which machine's container has ended, and with which code."""
    filters = {"label": [f"{REGION_LABEL}={number}", INSTANCE_LABEL], "event": "die"}
    for event in engine.events(decode=True, filters=filters):
        told = event["Actor"]["Attributes"]
        # Each in a thread of its own, for it may have to wait for a call that is at work on the machine.
        arguments = (told[INSTANCE_LABEL], int(told["exitCode"]))
        threading.Thread(target=died, args=arguments, daemon=True).start()
