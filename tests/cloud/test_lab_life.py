# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A lab on EC2 from its first day to its last: work, stop, start, grow, another machine, sync, and away.

The tests are the days of one lab, in order: each begins with what the one before has left.
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
import signal
import subprocess

import pytest
from labs import Lab, allowed_actions, asked_actions, nothing_changed, url_in
from region import helpers

SERVER = "desi-lab-life"
# A package without a package index: pip installs from a folder what it would install from PyPI.
INSTALL = """
mkdir -p /tmp/kept && cd /tmp/kept && echo VALUE=42 > kept.py
printf '[build-system]\\nrequires=[]\\nbuild-backend="backend"\\nbackend-path=["."]\\n' > pyproject.toml
cat > backend.py <<'END'
import zipfile
def build_wheel(folder, config_settings=None, metadata_directory=None):
    name = "kept-1-py3-none-any.whl"
    with zipfile.ZipFile(f"{folder}/{name}", "w") as wheel:
        wheel.writestr("kept.py", "VALUE=42")
        wheel.writestr("kept-1.dist-info/METADATA", "Metadata-Version: 2.1\\nName: kept\\nVersion: 1\\n")
        wheel.writestr("kept-1.dist-info/WHEEL", "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
        wheel.writestr("kept-1.dist-info/RECORD", "")
    return name
END
python -m pip install --quiet --no-index --no-build-isolation .
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """Return the person's computer. Its name is short, because sockets are made in it."""
    folder = tmp_path_factory.mktemp("h")
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def lab(region, home, free_ports):
    """Return the lab, and take away whatever it leaves."""
    made = Lab(region, "life", home, next(free_ports))
    yield made
    made.attempt("down", lab_yes=True, lab_sync=False)
    made.sweep()


@pytest.fixture
def work(home):
    """Return the person's folder."""
    return home / "work-life"


def on_machine(lab, command):
    """Run a command on the machine, as the person does by SSH; return what it prints."""
    full = ["ssh", "-F", str(lab.folder / "ssh_config"), f"desi-{lab.name}", command]
    done = subprocess.run(full, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def in_lab(lab, command):
    """Run a command in the lab's container."""
    return on_machine(lab, f"sudo docker exec {SERVER} sh -c {shlex.quote(command)}")


def container(lab):
    """Return the id of the lab's container: another one is another container, without what was installed in it."""
    return on_machine(lab, f"sudo docker inspect --format '{{{{.Id}}}}' {SERVER}")


def machine(lab):
    (found,) = lab.instances()
    return found


def test_a_lab_is_made_and_work_begins(lab):
    lab.run("ec2.yml", lab_idle_minutes=0, lab_max_hours=30)
    in_lab(lab, "echo 'measured today' > /home/synced/results.txt")
    in_lab(lab, INSTALL)
    assert in_lab(lab, "python -c 'import kept; print(kept.VALUE)'") == "42"


def test_a_shell_runs_a_command_as_it_was_typed_and_ends_with_its_exit_code(lab):
    words = ["two  words", "it's", 'a "quote"', "$HOME `id` $(id)", "*", "", "back\\slash", "é"]
    program = "import os, sys; print(ascii(sys.argv[1:])); print(os.getcwd(), sys.stdin.read()); sys.exit(7)"
    command = lab.front_door("shell", "--", "python", "-c", program, *words)
    options = {"cwd": lab.home, "env": lab.environment(), "capture_output": True, "text": True, "timeout": 100}
    done = subprocess.run(command, input="piped\n", check=False, **options)
    assert done.returncode == 7, done.stderr
    assert done.stdout == f"{words!a}\n/home/synced piped\n\n"


def test_a_log_that_is_followed_has_no_token_and_ends_with_who_reads_it(lab):
    token = in_lab(lab, "jupyter server list --json").partition('"token": "')[2].partition('"')[0]
    assert token
    # Who began the tests in the background had them ignore the signal.
    command = ["env", "--default-signal=INT", *lab.front_door("logs", "-f")]
    process = subprocess.Popen(command, cwd=lab.home, env=lab.environment(), stdout=subprocess.PIPE, text=True)
    shown = ""
    while "token=" not in shown:
        line = process.stdout.readline()
        assert line, shown
        shown += line
    # The log is silent now, and nothing is written that could fail.
    following = "pgrep -f 'docker log[s]' || true"
    assert on_machine(lab, following)
    process.send_signal(signal.SIGINT)
    assert process.wait(30) == 0
    assert token not in shown + process.stdout.read()
    on_machine(lab, f'for i in $(seq 50); do test -z "$({following})" && exit; sleep 0.1; done; exit 1')


def test_a_name_that_no_lab_has_is_answered_with_the_nearest(lab):
    for verb in ("stop", "url"):
        shown = lab.refused(verb, lab_name="lifo")
        assert "-e lab_name=life" in shown, verb


def test_stop_syncs_files_home_and_reports_it(lab, work):
    before = container(lab)
    (lab.home / "container").write_text(before)
    shown = lab.run("stop")
    assert "1 file brought" in shown
    assert (work / "results.txt").read_text() == "measured today\n"
    assert machine(lab)["State"]["Name"] == "stopped"


def test_a_lab_that_is_stopped_already_stays_so_and_it_is_said(lab):
    shown = lab.run("stop")
    assert "is stopped already" in shown
    assert nothing_changed(shown)


def test_verbs_that_need_a_running_instance_say_how_to_start_it(lab):
    assert "./lab start" in lab.refused("sync")
    assert "./lab start" in lab.refused("url")


def test_down_of_a_machine_that_is_stopped_says_that_work_would_be_lost(lab):
    assert "would be lost" in lab.run("down", "--check", lab_yes=False)


def test_credentials_that_expire_in_the_middle_are_told_and_nothing_is_lost(lab, region):
    with region.faults({**helpers.expired_token(), "action": "StartInstances", "match": {}}):
        shown = lab.refused("start", lab_yes=True)
    assert "expired" in shown.lower()
    assert machine(lab)["State"]["Name"] == "stopped"


def test_start_returns_the_same_lab_at_a_new_address(lab, region):
    # Whatever was given when it was made need not be given again.
    kept = dict(lab.settings)
    lab.settings = {
        name: kept[name] for name in ("lab_name", "lab_open_browser", "ec2_address_services", "ec2_ssh_timeout")
    }
    try:
        shown = lab.run("start", lab_yes=True)
    finally:
        lab.settings = kept
    assert url_in(shown).startswith(f"http://127.0.0.1:{lab.port}/")
    assert container(lab) == (lab.home / "container").read_text()
    assert in_lab(lab, "python -c 'import kept; print(kept.VALUE)'") == "42"
    assert in_lab(lab, "cat /home/synced/results.txt") == "measured today"
    assert in_lab(lab, "ls /home/desidata/edr/ | head -1")
    # Its limits are those that it was made with, and those are told.
    assert "after 30 hours" in shown
    watch = json.loads(lab.region.exec(machine(lab)["InstanceId"], "cat", "/etc/desi-lab/watch.json").stdout)
    assert (watch["idle_minutes"], watch["max_hours"]) == (0, 30)


def test_a_disk_that_would_become_smaller_is_refused(lab):
    shown = lab.refused("update", lab_disk_gib=8, lab_yes=True)
    assert "smaller" in shown
    assert disk(lab) == 30


def disk(lab):
    volumes = lab.region.client("ec2").describe_volumes(
        Filters=[{"Name": "attachment.instance-id", "Values": [machine(lab)["InstanceId"]]}]
    )
    return volumes["Volumes"][0]["Size"]


def test_a_larger_disk_comes_while_the_lab_runs_on(lab):
    before, address = container(lab), machine(lab)["PublicIpAddress"]
    shown = lab.run("update", lab_disk_gib=40, lab_yes=True, lab_image=None)
    assert "40 GiB instead of 30" in shown
    # The root of a simulated machine is no file system on a disk.
    assert "on no disk of its own" in shown
    assert disk(lab) == 40
    assert (container(lab), machine(lab)["PublicIpAddress"]) == (before, address)


def test_instance_type_changes_and_the_lab_stays_the_same(lab):
    before = container(lab)
    shown = lab.run("update", lab_instance_type="t3.small", lab_yes=True, lab_image=None)
    assert "t3.small instead of t2.micro" in shown
    assert machine(lab)["InstanceType"] == "t3.small"
    assert machine(lab)["State"]["Name"] == "running"
    assert container(lab) == before
    assert in_lab(lab, "python -c 'import kept; print(kept.VALUE)'") == "42"


def test_sync_keeps_what_changed_on_both_sides_twice(lab, work):
    lab.run("sync")
    (work / "results.txt").write_text("written at home\n")
    os.utime(work / "results.txt", (10**9, 10**9))
    (work / "new at home").write_text("1")
    in_lab(lab, "echo 'measured again' > /home/synced/results.txt")
    shown = lab.run("sync")
    assert "changed on both sides" in shown
    kept = [path for path in work.iterdir() if ".conflict-" in path.name]
    assert [path.read_text() for path in kept] == ["written at home\n"]
    assert (work / "results.txt").read_text() == "measured again\n"
    assert set(on_machine(lab, "ls synced").splitlines()) == {path.name for path in work.iterdir()}
    assert nothing_changed(lab.run("sync"))


def test_down_fails_where_files_cannot_be_synced_home(lab, region):
    in_lab(lab, "echo 'the last' > /home/synced/last.txt")
    group = machine(lab)["SecurityGroups"][0]["GroupId"]
    client = region.client("ec2")
    rules = client.describe_security_groups(GroupIds=[group])["SecurityGroups"][0]["IpPermissions"]
    client.revoke_security_group_ingress(GroupId=group, IpPermissions=rules)
    try:
        shown = lab.refused("down", lab_yes=True)
    finally:
        client.authorize_security_group_ingress(GroupId=group, IpPermissions=rules)
    assert "lab_sync=false" in shown
    assert machine(lab)["State"]["Name"] == "running"


@pytest.mark.parametrize("verb", ["stop", "down"])
def test_a_machine_that_is_not_known_any_more_can_be_ended_without_its_files(lab, verb):
    known, aside = lab.folder / "known_hosts", lab.folder.with_name("aside")
    known.rename(aside)
    try:
        shown = lab.refused(verb, lab_yes=True)
    finally:
        aside.rename(known)
    assert "lab_sync=false" in shown
    assert machine(lab)["State"]["Name"] == "running"


def test_down_syncs_files_home_and_leaves_no_resources(lab, work):
    shown = lab.run("down", lab_yes=True)
    assert "1 file brought" in shown
    assert "nothing is left" in shown
    assert (work / "last.txt").read_text() == "the last\n"
    assert lab.left() == []
    assert not lab.folder.exists()


def test_every_api_call_is_allowed_by_the_iam_policy(region):
    ours = asked_actions(region)
    assert {"ec2:modifyvolume", "ec2:modifyinstanceattribute", "ec2:stopinstances"} <= ours
    assert ours <= allowed_actions()
