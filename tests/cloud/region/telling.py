# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a person is told who starts a region by hand."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from typing import Any


def for_a_person(about: Mapping[str, Any]) -> str:
    """Return where the region is and how a lab is tried in it."""
    lines = ["", "The simulated region runs. In another terminal, in the clone of this repository:", ""]
    lines += [f"  export {name}={shlex.quote(value)}" for name, value in about["environment"].items()]
    lines += ["", f"  ./lab ec2 {' '.join(settings(about))}", ""]
    if not about["bucket_endpoint"]:
        lines += ["There is no bucket: the image with the sample data is not here. ./lab demo makes it.", ""]
    lines += [f"What was called: curl -s {about['endpoint']}/_region/calls", "Ctrl-C ends it and removes all.", ""]
    return "\n".join(lines)


def settings(about: Mapping[str, Any]) -> list[str]:
    """Return what a lab has to be told besides, so that it asks nobody outside."""
    wanted: dict[str, Any] = {"lab_image": "embedded", "ec2_address_services": [about["address_service"]]}
    if about["bucket_endpoint"]:
        wanted["lab_endpoint"] = about["bucket_endpoint"]
    return ["-e", shlex.quote(json.dumps(wanted))]
