# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The settings saved in a lab's container labels, and the error for an unknown lab."""

from __future__ import annotations

import re
import typing as t

from ..module_utils._common.errors import LabError
from ..module_utils._common.names import BadAnswer, mapping, strict_json
from ..module_utils._common.text import nearest, setting_option
from ..module_utils._lab.instance_answer import image_id, plain_text, remembered_settings
from ..module_utils._lab.labels import labels_of
from ..module_utils._mount.tools import DROPPED
from ._images import image_source
from ._mount_placement import may_mount
from ._settings import check_directory
from ._settings_resolve import SAVED

SETTINGS = "desi.lab.settings"
PREVIOUS = "desi.lab.previous"
DIGEST = "desi.lab.digest"
# The repository with the digest.
_DIGEST = re.compile(r"[A-Za-z0-9._:/\[\]-]{1,255}@sha256:[0-9a-f]{64}", re.ASCII)
MAX_BYTES = 65_536
_NAME = re.compile(r"lab_[a-z0-9_]{1,60}")


def remembered(container: t.Mapping[str, t.Any] | None, elsewhere: bool = False) -> dict[str, t.Any]:
    """Return the saved settings of a lab, its image and the previous one, from ``docker inspect``.

    A lab that was made before there was such a label remembers no settings. What is no setting with a text, a whole
    number or a truth value is left out, and so is a text that cannot be printed.
    The machine of one ``elsewhere`` may be in other hands, so what it says never has this computer copy a folder or
    clone a repository: such an image is no setting, but named under ``source``.
    """
    labels = labels_of(container or {})
    settings = label_settings(labels)
    digest = str(labels.get(DIGEST) or "")
    kept = remembered_settings(settings, SAVED)
    if kept.get("lab_mount") == "auto" and may_mount(container):
        # 0.1.0 chose it automatically; now it has to be requested.
        kept["lab_mount"] = "container"
    if kept.get("lab_mount_backend") == DROPPED:
        kept["lab_mount_backend"] = "auto"
    if elsewhere:
        # Where it is accessed and keeps its files is decided here.
        kept = {name: value for name, value in kept.items() if name not in ("lab_bind", "lab_folder", "lab_port")}
    source = str(kept.pop("lab_image")) if elsewhere and not _is_pulled(kept.get("lab_image", "embedded")) else ""
    return {
        "settings": kept,
        "image": image_id((container or {}).get("Image")),
        "previous": image_id(labels.get(PREVIOUS)),
        "digest": digest if _DIGEST.fullmatch(digest) else "",
        "source": plain_text(source),
        "cache": _directory(kept.get("lab_cache")),
    }


def _directory(value: object) -> str:
    """Return the absolute path that a label says; empty for anything else, and for what a module would expand."""
    try:
        check_directory("lab_cache", str(value))
    except LabError:
        return ""
    return value if isinstance(value, str) and "$" not in value else ""


def label_settings(labels: t.Mapping[str, str]) -> dict[str, t.Any]:
    """Return the settings that a container's labels save, but for names and values of another shape.

    Another version may have saved one of them. There are none if the label is no object of a sensible size.
    """
    try:
        found = mapping(strict_json(str(labels.get(SETTINGS) or "{}"), MAX_BYTES), most=100)
    except BadAnswer:
        return {}
    return remembered_settings(found, [name for name in found if _NAME.fullmatch(name)])


def _is_pulled(image: object) -> bool:
    """Return whether an image comes from a registry, or is this collection's own."""
    try:
        return image_source(str(image), {})["kind"] == "pull"
    except LabError:
        return False


def no_such_lab(name: str, known: t.Iterable[str]) -> dict[str, t.Any]:
    """Return the error for an unknown lab: what, why, do, and near names."""
    names = sorted(set(known) - {""})
    near = nearest(name, names, most=3)
    why = "This computer knows of no lab at all."
    do = "Make it with ./lab local or ./lab ec2."
    if names:
        listed = ", ".join(names[:10]) + (f" and {len(names) - 10} more" if len(names) > 10 else "")
        why = f"The labs that this computer knows of are {listed}." if len(names) > 1 else f"There is only {listed}."
        do = "See which there are with ./lab status, or make it with ./lab local or ./lab ec2."
    if near:
        why += f" The nearest {'names are' if len(near) > 1 else 'name is'} {', '.join(near)}."
    if near or len(names) == 1:
        other = ". ./lab status shows all of them" if len(names) > 1 else ", or make it with ./lab local or ./lab ec2"
        do = f"Say {setting_option('lab_name', (near or names)[0])} if that is what you meant{other}."
    return {"what": f"There is no lab {name}.", "why": why, "do": do, "near": near}
