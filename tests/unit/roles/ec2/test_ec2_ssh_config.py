# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The way to a machine is ours alone, whatever else stands in somebody's own SSH configuration."""

import subprocess
from pathlib import Path

import jinja2
import pytest

ROOT = Path(__file__).parents[4]
# What somebody has for all hosts, or was talked into having.
HOSTILE = """
Host *
    ForwardAgent yes
    ForwardX11 yes
    ForwardX11Trusted yes
    PermitLocalCommand yes
    LocalCommand touch /tmp/x
    ControlMaster auto
    ControlPath /tmp/%C
    ControlPersist yes
    StrictHostKeyChecking no
    UserKnownHostsFile /dev/null
    GlobalKnownHostsFile /tmp/known
    KnownHostsCommand /bin/echo %H
    VerifyHostKeyDNS yes
    UpdateHostKeys yes
    CheckHostIP yes
    HostKeyAlias other
    NoHostAuthenticationForLocalhost yes
    CanonicalizeHostname always
    IdentityAgent /tmp/agent
    AddKeysToAgent yes
    IdentitiesOnly no
    GSSAPIAuthentication yes
    GSSAPIDelegateCredentials yes
    HostbasedAuthentication yes
    PasswordAuthentication yes
    PreferredAuthentications password
    Tunnel yes
    HostName evil.example.org
    User root
    ProxyJump bastion.example.org
"""
WANTED = {
    "addkeystoagent": "false",
    "canonicalizehostname": "false",
    "checkhostip": "no",
    "controlmaster": "false",
    "forwardagent": "no",
    "forwardx11": "no",
    "forwardx11trusted": "no",
    "gssapiauthentication": "no",
    "gssapidelegatecredentials": "no",
    "hostbasedauthentication": "no",
    "hostkeyalias": "i-0abc",
    "hostname": "203.0.113.7",
    "identitiesonly": "yes",
    "identityagent": "none",
    "nohostauthenticationforlocalhost": "no",
    "passwordauthentication": "no",
    "permitlocalcommand": "no",
    "preferredauthentications": "publickey",
    "stricthostkeychecking": "true",
    "tunnel": "false",
    "updatehostkeys": "false",
    "user": "ec2-user",
    "verifyhostkeydns": "false",
    # One needs it to get out of one's own network.
    "proxyjump": "bastion.example.org",
}


@pytest.fixture(params=["lab", "a home of mine, 100%d"])
def ours(tmp_path, request):
    """Return the configuration that role ec2 writes."""
    folder = tmp_path / request.param
    folder.mkdir()
    text = (ROOT / "roles/ec2/templates/ssh_config.j2").read_text()
    target = {"address": "203.0.113.7", "user": "ec2-user", "id": "i-0abc"}
    names = {
        "__ec2_alias": "desi-x",
        "__ec2_target": target,
        "__ec2_key_file": f"{folder}/id",
        "ec2_folder": str(folder),
    }
    path = folder / "ssh_config"
    environment = jinja2.Environment(undefined=jinja2.StrictUndefined)  # noqa: S701 - no HTML
    path.write_text(environment.from_string(text).render(ansible_managed="Made.", **names))
    return path


def means(config, host="desi-x"):
    done = subprocess.run(["ssh", "-F", config, "-G", host], capture_output=True, text=True, check=True)
    return dict(line.split(" ", 1) for line in done.stdout.splitlines() if " " in line)


def test_workers_are_reached_by_way_of_the_lab_and_known_by_keys_of_their_own(ours):
    folder = ours.parent
    environment = jinja2.Environment(  # noqa: S701 - no HTML
        undefined=jinja2.StrictUndefined, loader=jinja2.FileSystemLoader(ROOT / "roles/ec2/templates")
    )
    workers = [{"id": f"i-{number}", "private_address": f"10.0.0.{number}"} for number in (1, 2)]
    names = {
        "ansible_managed": "Made.",
        "__ec2_alias": "desi-x",
        "__ec2_key_file": f"{folder}/id",
        "ec2_folder": str(folder),
        "__ec2_workers": {"workers": workers},
        "__ec2_plan": {"image": {"user": "ec2-user"}},
    }
    (folder / "workers").mkdir()
    path = folder / "workers/ssh_config"
    path.write_text(environment.get_template("workers_ssh_config.j2").render(**names))
    for number in (1, 2):
        found = means(path, f"desi-x-i-{number}")
        assert (found["hostname"], found["proxyjump"], found["hostkeyalias"]) == (
            f"10.0.0.{number}",
            "desi-x",
            f"i-{number}",
        )
        assert found["userknownhostsfile"] == f"{folder}/workers/i-{number}/known_hosts"
        assert {name: found.get(name) for name in WANTED if name not in ("hostname", "hostkeyalias", "proxyjump")} == {
            name: value for name, value in WANTED.items() if name not in ("hostname", "hostkeyalias", "proxyjump")
        }
    assert means(path)["hostname"] == "203.0.113.7"


@pytest.mark.security("M9")
@pytest.mark.parametrize("alone", [False, True])
def test_nothing_that_is_set_for_all_hosts_holds_for_a_lab(ours, tmp_path, alone):
    mine = tmp_path / "mine"
    mine.write_text(f'Include "{ours}"\n{HOSTILE}')
    found = means(ours if alone else mine)
    wanted = {**WANTED, "proxyjump": None} if alone else WANTED
    assert {name: found.get(name) for name in wanted} == wanted
    assert found["userknownhostsfile"] == f"{ours.parent}/known_hosts"
    assert found.get("controlpath", "none") == "none"
    assert found["globalknownhostsfile"] == "none"
    assert found.get("knownhostscommand", "none") == "none"


@pytest.mark.security("M9")
def test_people_are_told_to_include_it_before_anything_of_their_own(ours, tmp_path):
    mine = tmp_path / "mine"
    mine.write_text(f'{HOSTILE}\nInclude "{ours}"\n')
    # ssh takes what it reads first, which nothing that comes later can change.
    assert means(mine)["forwardagent"] == "yes"
    for text in (ours.read_text(), (ROOT / "docs/ec2.md").read_text()):
        assert "before any Host" in text.replace("`", "")
