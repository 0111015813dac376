# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Filters about labs, their images, data and limits; each is documented in the YAML file of its name."""

from __future__ import annotations

import os
import time
import typing as t

from ansible.errors import AnsibleFilterError
from ansible.utils.display import Display

from ..module_utils._common.errors import LabError
from ..module_utils._common.humanize import stops_when
from ..module_utils._common.text import name_option
from ..module_utils._docker.limits import interface_name, lab_limits, limits_update
from ..module_utils._docker.ports import is_loopback
from ..module_utils._doctor.findings import report_of
from ..module_utils._ec2 import instance_wait as ec2_instance_wait
from ..module_utils._lab import url as lab_url
from ..module_utils._lab.instance_answer import lab_answer
from ..module_utils._lab.labels import published, server_api
from ..module_utils._mount.mounter import make_job
from ..module_utils._mount.spec import check_path, make_spec
from ..module_utils._mount.tools import Tool
from ..module_utils._mount.unit_templates import loop_command
from ..module_utils._status.document import document
from ..plugin_utils import _images as images
from ..plugin_utils import _mount_placement as placement
from ..plugin_utils._disk_resize import disk_is_seen, grow_commands
from ..plugin_utils._instance_system import lacks
from ..plugin_utils._same_settings import as_saved
from ..plugin_utils._saved_settings import no_such_lab, remembered
from ..plugin_utils._settings import words
from ..plugin_utils._settings_resolve import settings_label
from ..plugin_utils._status_table import status_text
from ..plugin_utils._workers import memory_of_each, workers_text

# That of the image that this collection builds.
RCLONE = Tool("rclone", "rclone", (1, 75))


def url_at(url: str, host: str, port: int | str, scheme: str = "") -> str:
    """Return the URL with another host and port, and optionally another scheme."""
    try:
        return lab_url.url_at(url, host, port, scheme)
    except LabError as error:
        raise AnsibleFilterError(str(error)) from error


def status_document(
    found: t.Mapping[str, t.Any], elsewhere: t.Sequence[t.Mapping[str, t.Any]], unseen: t.Sequence[str]
) -> dict[str, t.Any]:
    """Return labs here and labs elsewhere as one status document."""
    return document(found, elsewhere, unseen, time.time())


def status_table(found: t.Mapping[str, t.Any]) -> str:
    """Return a status document as a table, as wide as the terminal."""
    # Workers have no terminal: callback steps, or else Ansible itself, read its width before.
    given = (os.environ.get(name, "") for name in ("COLUMNS", "DESI_LAB_COLUMNS"))
    columns = next((int(text) for text in given if text.isdecimal() and int(text)), Display().columns + 1)
    return status_text(found, columns)


def instance_changes(
    machine: t.Mapping[str, t.Any],
    types: t.Sequence[str],
    disk_gib: int,
    name: str,
    prices: t.Mapping[str, t.Any] | None = None,
) -> dict[str, t.Any]:
    """Return the changes of an instance, or under ``error`` why they are impossible."""
    try:
        return {**ec2_instance_wait.changes(machine, words(types), int(disk_gib), name, prices), "error": {}}
    except LabError as error:
        return {"type": "", "disk_gib": 0, "lines": [], "error": {"what": error.what, "why": error.why, "do": error.do}}
    except (KeyError, ValueError) as error:
        raise AnsibleFilterError(f"This is no machine: {error}") from error


def mounter_command(spec: t.Mapping[str, t.Any], mountpoint: str) -> list[str]:
    """Return a command line that mounts the bucket, restarts rclone, and unmounts on SIGTERM."""
    try:
        mount_spec = make_spec(spec)
        job = make_job(RCLONE, mount_spec, check_path(mountpoint, mount_spec.cache), {})
    except LabError as error:
        raise AnsibleFilterError(str(error)) from error
    # A container keeps the log itself.
    return loop_command(mountpoint, "/dev/null", job.settings, job.command)


def instance_lacks(host: t.Mapping[str, t.Any], update: bool = False) -> list[str]:
    """Return what an instance lacks before it can hold a lab."""
    try:
        return lacks(host, update)
    except (AttributeError, KeyError, TypeError) as error:
        raise AnsibleFilterError(f"The instance does not say as it should what it has: {error}") from error


class FilterModule:
    """The filters about labs."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {
            "build_reason": images.build_reason,
            "built_images": images.built_images,
            "can_mount": placement.may_mount,
            "disk_size_visible": disk_is_seen,
            "doctor_report": report_of,
            "image_builds": images.image_builds,
            "image_by_name": images.image_called,
            "image_facts": images.image_facts,
            "image_source": images.image_source,
            "instance_changes": instance_changes,
            "instance_lacks": instance_lacks,
            "is_loopback": is_loopback,
            "lab_answer": lab_answer,
            "lab_limits": lab_limits,
            "limits_update": limits_update,
            "mount_key": placement.mount_key,
            "mount_place": placement.mount_place,
            "mounter_command": mounter_command,
            "mounting_rights": placement.mounting_rights,
            "name_option": name_option,
            "network_interface": interface_name,
            "published_address": published,
            "pull_reason": images.pull_reason,
            "resize_commands": grow_commands,
            "saved_settings": remembered,
            "server_api_url": server_api,
            "settings_as_saved": as_saved,
            "settings_label": settings_label,
            "status_document": status_document,
            "status_table": status_table,
            "stop_time_text": stops_when,
            "unknown_lab_error": no_such_lab,
            "url_for_address": url_at,
            "volumes": placement.volumes,
            "worker_memory": memory_of_each,
            "workers_text": workers_text,
            "writable_by": placement.writable_by,
        }
