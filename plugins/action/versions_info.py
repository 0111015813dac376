# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Return the versions of DESI Lab, Ansible and collections."""

from __future__ import annotations

import importlib
import json
import platform
import typing as t
from pathlib import Path

import yaml
from ansible.release import __version__

from ..plugin_utils._controller_action import ControllerAction

OURS = "desi.lab"


class ActionModule(ControllerAction):
    """Reads the metadata of collections."""

    def answer(self, args: dict[str, t.Any], task_vars: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
        ours = about(OURS)
        required = dict(ours.get("dependencies") or {})
        return {
            "product": str(ours.get("version", "")),
            "ansible": __version__,
            "python": platform.python_version(),
            "system": f"{platform.system()} {platform.release()} ({platform.machine()})",
            "collections": {name: str(about(name).get("version") or "") for name in required},
            "wanted": required,
            "wanted_ansible": required_ansible(),
        }


def directory_of(collection: str) -> Path | None:
    """Return the directory of a collection; None if it is not installed."""
    try:
        found = importlib.import_module(f"ansible_collections.{collection}")
    except ImportError:
        return None
    return next((Path(path) for path in found.__path__), None)


def about(collection: str) -> dict[str, t.Any]:
    """Return the metadata of a collection: from its manifest, or galaxy.yml in a clone."""
    directory = directory_of(collection)
    if directory is None:
        return {}
    if (directory / "MANIFEST.json").is_file():
        return dict(json.loads((directory / "MANIFEST.json").read_text())["collection_info"])
    if (directory / "galaxy.yml").is_file():
        return dict(yaml.safe_load((directory / "galaxy.yml").read_text()))
    return {}


def required_ansible() -> str:
    """Return the required versions of ansible-core."""
    directory = directory_of(OURS)
    known = yaml.safe_load((directory / "meta" / "runtime.yml").read_text()) if directory else {}
    return str(known.get("requires_ansible", ""))
