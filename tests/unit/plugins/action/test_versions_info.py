# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

import json
import platform
from pathlib import Path

import pytest
import yaml
from ansible.errors import AnsibleActionFail
from ansible.release import __version__

from ansible_collections.desi.lab.plugins.action import versions_info

ROOT = Path(__file__).parents[4]


def test_versions_are_those_in_use(act):
    result = act(versions_info.ActionModule)
    galaxy = yaml.safe_load((ROOT / "galaxy.yml").read_text())
    runtime = yaml.safe_load((ROOT / "meta/runtime.yml").read_text())
    assert (result["product"], result["wanted"]) == (galaxy["version"], galaxy["dependencies"])
    assert (result["ansible"], result["python"]) == (__version__, platform.python_version())
    assert result["wanted_ansible"] == runtime["requires_ansible"]
    assert set(result["collections"]) == set(galaxy["dependencies"])
    assert all(result["collections"].values())


def test_a_collection_that_is_not_there_has_no_version(act, monkeypatch):
    directory_of = versions_info.directory_of
    monkeypatch.setattr(
        versions_info, "directory_of", lambda name: None if name == "amazon.aws" else directory_of(name)
    )
    assert act(versions_info.ActionModule)["collections"]["amazon.aws"] == ""
    assert directory_of("no.such_collection") is None


def test_a_collection_that_was_installed_is_known_by_its_manifest(tmp_path, monkeypatch):
    (tmp_path / "MANIFEST.json").write_text(json.dumps({"collection_info": {"version": "1.2.3"}}))
    monkeypatch.setattr(versions_info, "directory_of", lambda _name: tmp_path)
    assert versions_info.about("desi.lab")["version"] == "1.2.3"


def test_it_has_no_options(act):
    with pytest.raises(AnsibleActionFail):
        act(versions_info.ActionModule, all=True)
