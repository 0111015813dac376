# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Resolve and validate the settings of a lab, before anything is created."""

from __future__ import annotations

import json
import os
import shlex
import stat
import typing as t
from os.path import normpath
from pathlib import Path

import yaml
from ansible import constants as C
from ansible.utils.vars import load_extra_vars

from ..module_utils._common.errors import LabError, failure
from ..module_utils._common.names import LAB_NAME
from ..module_utils._common.users import invoking_user
from ..plugin_utils._controller_action import ControllerAction
from ..plugin_utils._fact_injection import check_plain
from ..plugin_utils._same_settings import PATHS, normal_path
from ..plugin_utils._settings import check_own, image_errors, name_errors, other_spellings, value_errors
from ..plugin_utils._settings_resolve import PREFIX, resolve

ROLES = Path(__file__).parents[2] / "roles"
FACT = "lab"
CHOOSING = ("lab_name", "lab_region", "lab_where")
"""Which lab is meant: parts of paths, and of what AWS is asked. Nobody says nothing and means any."""
INPUTS = ("lab_chooses_directory", "lab_instance", "lab_own_directory", "lab_saved_settings")
"""Variables of role lab that are no settings: what plays hand to it."""


class ActionModule(ControllerAction):
    """Works where the settings were given."""

    def answer(self, args: dict[str, t.Any], task_vars: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
        """Return the settings, or fail with all that cannot work."""
        host = str(task_vars.get("inventory_hostname", ""))
        check_ansible(bool(C.INJECT_FACTS_AS_VARS), host, getattr(self._connection, "transport", "local"))
        options = yaml.safe_load((ROLES / "lab/meta/argument_specs.yml").read_text(encoding="utf-8"))
        options = options["argument_specs"]["main"]["options"]
        worked_out = facts()
        # The raw values: reading task variables would template them.
        typed = load_extra_vars(self._loader)
        check_plain({name: value for name, value in typed.items() if name.startswith((PREFIX, "desi_"))})
        check_own(
            typed, {FACT, *INPUTS, *(f"{PREFIX}{name}" for name in (*worked_out, "cache_folder", "given", "typed"))}
        )
        ours = {name for name in task_vars if name.startswith(PREFIX)} - set(INPUTS)
        errors = name_errors(ours | other_spellings(typed, options), options) + image_errors(typed)
        given = {name: self._templar.template(task_vars[name]) for name in options if name in task_vars}
        given |= {name: "" for name in CHOOSING if name in given and given[name] is None}
        home, standing = worked_out["person"]["home"], os.environ.get("PWD", "")
        given = {
            name: normal_path(name, value, home, standing) if name in PATHS else value for name, value in given.items()
        }
        lab = resolve(options, args["instance"], args["saved"], given)
        # One that is there may have been made when its name was not reserved.
        is_there = not args["values"] or args["saved"].get("lab_name") == lab["name"]
        named = {"lab_name"} if is_there and LAB_NAME.fullmatch(lab["name"]) else set()
        # Of a lab that is not made now, only what somebody says has to work.
        said = set(options) if args["values"] else {*CHOOSING, *(f"{PREFIX}{name}" for name in lab["given"])}
        values = {name: lab[name.removeprefix(PREFIX)] for name in said - named}
        errors += value_errors(values, worked_out["releases"], together=args["values"])
        if errors:
            return {"failed": True, **failure(errors)}
        # Root writes streamed data, so that all of this path has to be root's.
        lab["cache_folder"] = lab["cache"] or "/var/cache/desi-lab"
        # What is asked of this run, and not of all runs as in an inventory.
        lab["typed"] = {name: value for name, value in lab["given"].items() if f"{PREFIX}{name}" in typed}
        return {"settings": {**lab, **worked_out}}


def facts() -> dict[str, t.Any]:
    """Return what is the same for all labs of this user, and tables of this version."""
    config = os.environ.get("XDG_CONFIG_HOME") or "~/.config"
    # The table of releases is a file of the image, which needs it without Ansible.
    releases = json.loads((ROLES / "image/files/embedded/lab/releases.json").read_text(encoding="utf-8"))["releases"]
    return {
        "person": invoking_user(),
        # Keys and records of labs on EC2, as REGION/NAME/.
        "config": normpath(Path(config).expanduser().absolute() / "desi-lab"),
        "releases": releases,
        # For where AWS does not tell them.
        "prices": yaml.safe_load((ROLES / "lab/files/prices.yml").read_text(encoding="utf-8")),
    }


def check_ansible(injects_facts: bool, host: str, transport: str, directory: str = ".") -> None:
    """Refuse injected facts, and a localhost that is another computer.

    ``directory`` is the one that Ansible was started in. It reads no ansible.cfg where everybody may write, as the file
    could name programs.
    """
    if injects_facts and _is_ignored(directory):
        path = str(Path(directory).absolute())
        raise LabError(
            f"Ansible does not read the ansible.cfg in {path}.",
            "Everybody on this computer may write in that folder.",
            f"Take that right away: chmod o-w {shlex.quote(path)}. Or type ./lab, which names the file itself.",
        )
    if injects_facts:
        raise LabError(
            "DESI Lab does not run with this ansible.cfg.",
            "Here Ansible makes variables of what a machine answers, so that a lab's machine could choose files and "
            "addresses on this computer.",
            "Add the line inject_facts_as_vars=false below [defaults] in your ansible.cfg, or run it as "
            "ANSIBLE_INJECT_FACT_VARS=false ansible-playbook …",
        )
    if host == "localhost" and transport != "local":
        raise LabError(
            "DESI Lab does not run with this inventory.",
            f"It has localhost reached by {transport}, which may be another computer than this one.",
            "Leave localhost out of the inventory, or give it ansible_connection=local.",
        )


def _is_ignored(directory: str) -> bool:
    try:
        return bool(Path(directory).stat().st_mode & stat.S_IWOTH) and Path(directory, "ansible.cfg").is_file()
    except OSError:
        return False
