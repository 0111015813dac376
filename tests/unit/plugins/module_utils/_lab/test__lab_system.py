# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

import hashlib
import os
from pathlib import Path

import pytest
import yaml

from ansible_collections.desi.lab.plugins.module_utils._lab import system

ROLES = Path(__file__).resolve().parents[5] / "roles"
TIMER = "ActiveState={active}\nUnitFileState={enabled}\nNeedDaemonReload={changed}\n"
SERVICE = "\nActiveState=inactive\nUnitFileState=static\nNeedDaemonReload={changed}\n"
GOOD = {"active": "active", "enabled": "enabled", "changed": "no"}


def of_role(name: str) -> dict:
    return yaml.safe_load((ROLES / name / "vars/main.yml").read_text())


def laid_down(root: Path, name: str, mode: int = 0o644) -> Path:
    path = root / name.lstrip("/")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("{}\n")
    path.chmod(mode)
    return path


def test_it_looks_where_the_roles_put_things(tmp_path):
    watcher = of_role("autostop")
    assert of_role("ec2_host")["__ec2_host_updated_marker"] == system.UPDATED
    assert watcher["__autostop_unit"] == system.WATCHER_UNIT
    program, units = watcher["__autostop_program"], watcher["__autostop_units"]
    names = [watcher[f"__autostop_{name}"] for name in ("config", "worker_config", "worker_program")]
    names += [f"{program}/__main__.py", f"{program}/desi_watch/settings.py", f"{units}.service", f"{units}.timer"]
    paths = {str(laid_down(tmp_path, name)) for name in names}
    assert system.digests(str(tmp_path)).keys() == paths


@pytest.fixture
def settings(tmp_path):
    """The settings of a watcher, as role autostop lays them down."""
    return laid_down(tmp_path, "/etc/desi-lab/watch.json")


def test_files_of_the_watcher_are_told_by_their_digests(settings, tmp_path):
    (tmp_path / "etc/desi-lab/other.txt").write_text("{}")
    assert system.digests(str(tmp_path)) == {str(settings): hashlib.sha256(b"{}\n").hexdigest()}


@pytest.mark.parametrize("harm", ["mode", "owner", "link", "directory", "huge"])
def test_file_that_is_not_as_it_was_made_has_no_digest(settings, tmp_path, harm):
    if harm == "mode":
        settings.chmod(0o666)
    elif harm == "owner":
        os.chown(settings, 61235, -1)
    elif harm == "huge":
        os.truncate(settings, system.MOST_BYTES + 1)
    else:
        settings.rename(tmp_path / "elsewhere")
        settings.symlink_to(tmp_path / "elsewhere") if harm == "link" else settings.mkdir()
    assert system.digests(str(tmp_path)) == {}


@pytest.mark.parametrize(
    ("shown", "runs"),
    [
        (TIMER.format(**GOOD) + SERVICE.format(changed="no"), True),
        (TIMER.format(**GOOD | {"active": "inactive"}) + SERVICE.format(changed="no"), False),
        (TIMER.format(**GOOD | {"enabled": "disabled"}) + SERVICE.format(changed="no"), False),
        (TIMER.format(**GOOD | {"changed": "yes"}) + SERVICE.format(changed="no"), False),
        (TIMER.format(**GOOD) + SERVICE.format(changed="yes"), False),
        (TIMER.format(**GOOD), False),
        ("", False),
    ],
)
def test_timer_runs_if_it_does_now_and_after_the_next_boot(monkeypatch, tmp_path, shown, runs):
    program = tmp_path / "systemctl"
    program.write_text(f"#!/bin/sh\nprintf %s '{shown}'\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert system.timer_runs() is runs


def test_without_systemd_no_timer_runs(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert not system.timer_runs()
