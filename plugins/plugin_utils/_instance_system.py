# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What has to be made or installed on an EC2 instance before it can hold a lab."""

from __future__ import annotations

import typing as t

FOLDER, MOUNT_S3, RSYNC, UPDATE = "folder", "mount-s3", "rsync", "update"
# Amazon Linux has mount-s3 since 2023.9; what an older one lacks, a container of its own does.
HAS_MOUNT_S3 = "amzn"


def lacks(host: t.Mapping[str, t.Any], update: bool = False) -> list[str]:
    """Return what an instance lacks, of what labs_info returned with ``folder`` and ``system``.

    Both systems come with rsync, but their smaller AMIs do not. Where Docker is, a lab may be that an update would end.
    """
    system = host["system"]
    has = set(system["programs"])
    missing = {
        FOLDER: not host["folder"]["exists"],
        UPDATE: update and not system["updated"] and "dockerd" not in has,
        RSYNC: RSYNC not in has,
        MOUNT_S3: MOUNT_S3 not in has and system["distribution"] == HAS_MOUNT_S3,
    }
    return [name for name, is_missing in missing.items() if is_missing]
