# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is said where no container beside the lab can mount, as the variables of role data come out."""

from pathlib import Path

import pytest
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar, trust_as_template

VARIABLES = Path(__file__).parents[4] / "roles/data/vars/main.yml"
REASON = "Docker Desktop does not pass mounts of this computer on to containers."


def told(name, **changed):
    """Return a variable of the role; the engine has refused to run the mounter, unless something else is given."""
    loader = DataLoader()
    # Names with a dot are found only once a play has run in the same process.
    text = trust_as_template(VARIABLES.read_text().replace("'ansible.builtin.env'", "'env'"))
    given = {
        **loader.load(text),
        "data_source": "s3",
        "__data_place": {"place": "mounter", "reason": REASON, "error": ""},
        "__data_failure": {"msg": "path /x is mounted on / but it is not a shared mount"},
        "data_engine": {},
        "data_engine_desktop": False,
        **changed,
    }
    return Templar(loader=loader, variables=given).template(trust_as_template(f"{{{{ {name} }}}}"))


@pytest.mark.security("H4")
def test_where_the_flags_alone_are_left_the_reason_and_the_setting_that_accepts_them_are_told():
    assert told("__data_sidecar_why").startswith(REASON)
    assert "not a shared mount" in told("__data_sidecar_why")
    assert told("__data_sidecar_do").endswith(
        "accept that notebooks of this lab can become root of this computer: -e lab_mount=container"
    )


def test_a_bucket_that_cannot_be_read_is_no_reason_to_give_a_lab_more_rights():
    silent = {"__data_sidecar_shown": {"rc": 1}, "__data_sidecar_log": {"stderr_lines": ["dial tcp: timeout"]}}
    assert told("__data_sidecar_why", **silent).endswith("dial tcp: timeout")
    assert "lab_mount" not in told("__data_sidecar_do", **silent)


@pytest.mark.parametrize(
    ("proxy", "engine", "arrives"),
    [
        ("http://127.0.0.1:7890", {}, True),
        ("http://127.0.0.1:7890", {"data_engine_desktop": True}, False),
        ("http://127.0.0.1:7890", {"data_engine": {"rootless": True}}, False),
        ("http://127.0.0.1:7890", {"data_engine": {"endpoint": "unix:///Users/a/.colima/docker.sock"}}, False),
        ("http://127.0.0.1:7890", {"data_engine": {"endpoint": "unix:///var/run/docker.sock"}}, True),
        ("localhost:7890", {"data_engine_desktop": True}, False),
        ("socks5://LOCALHOST:1080/", {"data_engine_desktop": True}, False),
        ("http://[::1]:7890", {"data_engine_desktop": True}, False),
        ("http://127.0.0.1.example.org:7890", {"data_engine_desktop": True}, True),
        ("http://proxy.example.org:7890", {"data_engine_desktop": True}, True),
        ("http://ann:secret@proxy.example.org:7890", {}, False),
        # The lab's own container is in a network of its own.
        ("http://127.0.0.1:7890", {"__data_place": {"place": "container"}}, False),
        ("http://proxy.example.org:7890", {"__data_place": {"place": "container"}}, True),
    ],
)
@pytest.mark.parametrize("name", ["http_proxy", "https_proxy"])
def test_what_mounts_is_given_no_proxy_that_it_cannot_reach_or_that_would_show_a_password(
    monkeypatch, proxy, engine, arrives, name
):
    for each in ("http_proxy", "https_proxy"):
        monkeypatch.setenv(each, proxy if each == name else "")
    monkeypatch.setenv("no_proxy", "localhost,127.0.0.1")
    local = {"ansible_connection": "local", "data_network": "", **engine}
    given = {"no_proxy": "localhost,127.0.0.1"} | ({name: proxy} if arrives else {})
    assert told("__data_proxies", **local) == given
    do = told("__data_sidecar_check", **local)
    assert ("no proxy" in do, "name the proxy" in do) == (not arrives, not arrives and "@" not in proxy)


@pytest.mark.parametrize(
    ("before", "now", "restored", "told_to_start"),
    [
        ("c1", "c2", {"rc": 0}, False),
        ("c1", "c2", {"rc": 1}, True),
        ("c1", "", {"msg": "no space left"}, True),
        ("c1", "c1", {"skipped": True}, False),
        ("", "c2", {"skipped": True}, False),
    ],
)
def test_who_has_a_lab_without_data_is_told_how_it_gets_them_back(before, now, restored, told_to_start):
    def inspected(name):
        container = {"Id": name, "Image": "i", "Config": {"Labels": {"desi.lab.role": "mounter"}, "Cmd": ["x"]}}
        return {"exists": bool(name), "container": container if name else None}

    given = {"__data_mounter_before": inspected(before), "__data_named": inspected(now), "__data_restored": restored}
    do = told("__data_sidecar_start", **given, data_lab="mine")
    assert ("./lab start -e lab_name=mine" in do, bool(do)) == (told_to_start, told_to_start)
