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
from ansible.plugins.action import ActionBase
from ansible.release import __version__

OURS = "desi.lab"


class ActionModule(ActionBase):
    """Runs on the controller."""

    _requires_connection = False

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        super().run(tmp, task_vars)
        self.validate_argument_spec({})
        ours = about(OURS)
        required = dict(ours.get("dependencies") or {})
        return {
            "changed": False,
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
