# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The settings of a lab, resolved once: given > saved > instance > default."""

from __future__ import annotations

import json
import math
import typing as t

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from ..module_utils._common.errors import LabError

PREFIX = "lab_"
SAVED = (
    "lab_release",
    "lab_data",
    "lab_data_writable",
    "lab_bucket",
    "lab_bucket_region",
    "lab_endpoint",
    "lab_prefix",
    "lab_mount",
    "lab_mount_backend",
    "lab_cache",
    "lab_cache_max",
    "lab_image",
    "lab_folder",
    "lab_folder_anyway",
    "lab_bind",
    "lab_port",
    "lab_container_port",
    "lab_memory",
    "lab_cpus",
)
"""What a label of the container saves. Everybody who may ask the engine reads it: no secrets."""
ONLY_IF_SET = ("lab_folder_anyway", "lab_memory", "lab_cpus")
"""Labs of before there were these must not look like other ones for lack of them."""
PERMISSIONS = {"lab_data_writable": ("lab_data",), "lab_folder_anyway": ("lab_data", "lab_folder")}
"""What somebody allowed for the folders that these settings name, and for no others."""
REMEMBERED = (
    "lab_idle_minutes",
    "lab_max_hours",
    "lab_expire_days",
    "lab_expire_snapshot",
    "lab_expire_role",
    "lab_domain",
    "lab_certificate",
    "lab_certificate_key",
)
"""What this computer remembers of a lab on EC2: what neither its container nor its tags say."""

Options = t.Mapping[str, t.Mapping[str, t.Any]]
Values = t.Mapping[str, t.Any]


def resolve(options: Options, instance: Values, saved: Values, given: Values) -> dict[str, t.Any]:
    """Return each setting by its name without ``lab_``, and under ``given`` and ``defaults`` what is behind it.

    ``options`` are those of role lab. Raises LabError if what somebody gave is of another type. Labels and tags are
    written by whoever may: what they say counts if it is of the setting's own type, and only then. A saved permission
    does not carry over to another folder.
    """
    typed = {name: value for name, value in given.items() if name in options and value is not None}
    typed = _converted(options, typed)
    defaults = _converted(options, {name: option["default"] for name, option in options.items()})
    saved = _of_type(options, saved)
    untrusted = {**_of_type(options, of_instance(instance)), **_without_permissions(saved, typed)}
    values = {**defaults, **untrusted, **typed}
    values["lab_release"] = values["lab_release"].lower()
    return {**_short(values), "given": _short(typed), "defaults": _short(defaults)}


def _without_permissions(saved: Values, typed: Values) -> dict[str, t.Any]:
    """Return saved settings but for permissions that were given for another folder than the one that is asked for."""
    changed = {name for name, value in typed.items() if value != saved.get(name)}
    return {name: value for name, value in saved.items() if not changed & set(PERMISSIONS.get(name, ()))}


def of_instance(instance: Values) -> dict[str, t.Any]:
    """Return the settings that an instance's tags and type say. With https, the port is that of TLS."""
    port = 0 if instance.get("access") == "https" else instance.get("port")
    found = {
        "access": instance.get("access"),
        "port": port,
        "release": instance.get("release"),
        "os": instance.get("os"),
    }
    found["instance_type"] = [instance["type"]] if instance.get("type") else []
    found["disk_gib"] = instance.get("disk_gib")
    return {f"{PREFIX}{name}": value for name, value in found.items() if value}


def settings_label(lab: Values, placed: Values) -> str:
    """Return what a container's label saves. ``placed`` are settings that are others on the container's host."""
    values = {name: {**lab, **placed}[name.removeprefix(PREFIX)] for name in SAVED}
    values["lab_port"] = int(values["lab_port"])
    saved = {name: value for name, value in values.items() if value or name not in ONLY_IF_SET}
    if "lab_cpus" in saved:
        saved["lab_cpus"] = str(float(saved["lab_cpus"]))
    return json.dumps(saved, sort_keys=True)


def settings_to_remember(lab: Values, known: Values | None = None) -> dict[str, t.Any]:
    """Return what this computer remembers of a lab on EC2. ``known`` is what it has remembered of one that is there.

    That counts unless somebody has given something else.
    """
    short = {name: name.removeprefix(PREFIX) for name in REMEMBERED}
    found = {name: lab[key] for name, key in short.items() if known is None or key in lab["given"]}
    # A role is made once. From then on it is the one that there is.
    new = {name: "" if (name, value) == ("lab_expire_role", "make") else value for name, value in found.items()}
    return {**(known or {}), **new}


def unknown_limits(remembered: Values) -> list[str]:
    """Return which limits of a lab's watcher are not known, of a lab that 0.1.0 made or whose folder was copied."""
    return [limit for limit in ("idle_minutes", "max_hours") if f"{PREFIX}{limit}" not in remembered]


def remembered_settings(memory: str) -> dict[str, t.Any]:
    """Return what this computer remembers, as ``saved`` of resolve; empty where it is nothing or damaged.

    ``memory`` is JSON with ``settings``.
    """
    try:
        found = json.loads(memory)["settings"]
    except (ValueError, TypeError, KeyError, RecursionError):
        return {}
    known = found if isinstance(found, dict) else {}
    return {name: known[name] for name in REMEMBERED if isinstance(known.get(name), (str, int, float))}


def _short(values: Values) -> dict[str, t.Any]:
    return {name.removeprefix(PREFIX): value for name, value in values.items()}


def _converted(options: Options, values: Values) -> dict[str, t.Any]:
    """Return values as their types, as Ansible converts them."""
    found: dict[str, t.Any] = {}
    for name, value in values.items():
        result = ArgumentSpecValidator({name: {**options[name], "default": None}}).validate({name: value})
        if result.error_messages:
            raise LabError(
                f"The setting {name}={value} cannot work.",
                f"{result.error_messages[0].rstrip('.')}.",
                "See the table of settings in README.md.",
            )
        of_type = result.validated_parameters[name]
        found[name] = [each.strip() for each in of_type] if options[name]["type"] == "list" else of_type
    return found


def _of_type(options: Options, values: Values) -> dict[str, t.Any]:
    """Return the values of known settings that have the type of the setting already, or are its number as a text."""
    found = {name: _read(options[name], value) for name, value in values.items() if name in options}
    return {name: value for name, value in found.items() if value is not None}


def _read(option: t.Mapping[str, t.Any], value: object) -> t.Any:  # noqa: ANN401 - of the setting's type
    kind, choices = option["type"], option.get("choices")
    if isinstance(value, bool) or kind == "bool":
        return value if isinstance(value, bool) and kind == "bool" else None
    if kind in ("int", "float") and isinstance(value, (str, int, float)):
        return _number(kind, value)
    if kind == "list":
        return value if isinstance(value, list) and all(isinstance(each, str) for each in value) else None
    return value if isinstance(value, str) and (not choices or value in choices) and kind in ("str", "path") else None


def _number(kind: str, value: str | float) -> float | int | None:
    try:
        number = float(value)
    except ValueError:
        return None
    if kind == "float":
        return number if math.isfinite(number) else None
    return int(number) if math.isfinite(number) and number.is_integer() else None
