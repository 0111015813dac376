# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Filter: the command line of a container that mounts a bucket, with the settings of module bucket_mount."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Callable

from ansible.errors import AnsibleFilterError

from ansible_collections.desi.lab.plugins.module_utils._common.errors import LabError
from ansible_collections.desi.lab.plugins.module_utils._mount.mounter import make_job
from ansible_collections.desi.lab.plugins.module_utils._mount.spec import check_path, make_spec
from ansible_collections.desi.lab.plugins.module_utils._mount.tools import Tool
from ansible_collections.desi.lab.plugins.module_utils._mount.unit_templates import loop_command

# That of the image that this collection builds.
RCLONE = Tool("rclone", "rclone", (1, 75))


def mounter_command(spec: Mapping[str, Any], mountpoint: str) -> list[str]:
    """Return a command line that mounts the bucket, restarts rclone, and unmounts on SIGTERM."""
    try:
        mount_spec = make_spec(spec)
        job = make_job(RCLONE, mount_spec, check_path(mountpoint, mount_spec.cache), {})
    except LabError as error:
        raise AnsibleFilterError(str(error)) from error
    # A container keeps the log itself.
    return loop_command(mountpoint, "/dev/null", job.settings, job.command)


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"mounter_command": mounter_command}
